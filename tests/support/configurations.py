"""Values for the fields of configurations: any JSON, and for each field one that it takes and that is no default."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hypothesis import strategies as st
from pydantic import TypeAdapter

from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import flat, plain
from taxohash.training.config import HasherConfig

T = TypeVar("T")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
# What is named elsewhere, and so cannot be found in the fields' types.
NAMED = {
    "objective.name": "csq",
    "objective.options": {"quantisation": 0.25, "seed": 5},
    "network.name": "efficientnet_lite0",
    "network.size": 96,
    "network.channels": 3,
    "network.freeze": False,
    "training.epochs": 2,
}


def outcome(make: Callable[[], T]) -> tuple[T | None, str]:
    """What was made, or None, and the one line that refused it."""
    try:
        return make(), ""
    except TaxohashError as error:
        (line,) = str(error).splitlines()
        return None, line


def changed_values() -> dict[str, Any]:
    """By its path, for each field of HasherConfig, one that may be added tomorrow too: a value but the default."""
    schema = TypeAdapter(HasherConfig).json_schema()
    found = {}
    for path, default in flat(plain(HasherConfig())).items():
        found[path] = NAMED[path] if path in NAMED else _another(_at(schema, path), default)
    return found


def untrained(*_: object) -> list[dict[str, float]]:
    """In place of fit(): the network stays as it was made."""
    return [{"epoch": 1, "seconds": 1.0, "lr": 0.1, "loss": 1.0}]


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of values by dotted paths."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        *above, name = path.split(".")
        node = tree
        for part in above:
            node = node.setdefault(part, {})
        node[name] = value
    return tree


def _at(schema: dict[str, Any], path: str) -> dict[str, Any]:
    node = schema
    for name in path.split("."):
        node = node["properties"][name]
        node = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    return node


def _another(node: dict[str, Any], default: Any) -> Any:
    if "enum" in node:
        return next(value for value in node["enum"] if value != default)
    match node["type"]:
        case "boolean":
            return not default
        case "integer":
            least = node.get("minimum", default)
            return least if least != default else default + 1
        case "number":
            return default / 2 or 0.5
    raise AssertionError(f"give NAMED a value for {node}")
