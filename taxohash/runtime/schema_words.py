"""What is wrong with a configuration, and what its fields take, in words made of their JSON schema."""

import json
import re
from typing import Any

from pydantic import TypeAdapter, ValidationError

from taxohash.errors import TaxohashError

LONGEST = 80  # characters of a value that is shown
BOUNDS = {
    "minimum": "of at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}
PLAIN = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
}
Schema = dict[str, Any]


def refusal(kind: type[Any], error: ValidationError) -> str:
    """The first of a configuration's errors as one line: field, value and remedy.

    What a configuration refuses itself, in its `__post_init__`, is said in its own words.
    """
    first = error.errors(include_url=False)[0]
    if isinstance(own := first.get("ctx", {}).get("error"), TaxohashError):
        return str(own)
    node, definitions = _schema(kind)
    path: list[str] = []
    for step in first["loc"]:
        node = _resolved(_present(node), definitions)
        below = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
        if below is None:
            break
        node, path = _resolved(below, definitions), [*path, str(step)]
    if first["type"] == "unexpected_keyword_argument":
        unknown = ".".join([*path, str(first["loc"][-1])])
        return f"{_name(unknown)} is not known: use one of {', '.join(node['properties'])}"
    where, remedy = ".".join(path) or "configuration", f"give {_wanted(node, definitions)}"
    if first["type"] == "missing":
        return f"{where} is missing: {remedy}"
    return f"{where} = {shown(first['input'])}: {remedy}"


def wanted_by(kind: type[Any]) -> str:
    """What a configuration is made of."""
    return _wanted(*_schema(kind))


def shown(value: Any) -> str:
    """A value as JSON, on one line and not too long."""
    try:
        text = json.dumps(value, default=repr)
    except (TypeError, ValueError, RecursionError):  # what JSON cannot hold at all
        text = type(value).__name__
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _schema(kind: type[Any]) -> tuple[Schema, Schema]:
    """The schema of a configuration, and the definitions that it refers to by name."""
    schema = TypeAdapter(kind).json_schema()
    return schema, schema.get("$defs", {})


def _name(path: str) -> str:
    return path if re.fullmatch(r"[\w.-]{1,80}", path, re.ASCII) else shown(path)


def _present(node: Schema) -> Schema:
    """What a value may be where it is not null."""
    parts = [part for part in node.get("anyOf", ()) if part != {"type": "null"}]
    return parts[0] if len(parts) == 1 else node


def _resolved(node: Schema, definitions: Schema) -> Schema:
    found: Schema = definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    return found


def _wanted(node: Schema, definitions: Schema) -> str:
    node = _resolved(node, definitions)
    if "anyOf" in node:
        return " or ".join(_wanted(part, definitions) for part in node["anyOf"])
    if "enum" in node:
        return "one of " + ", ".join(map(str, node["enum"]))
    if node["type"] == "array":
        return f"a list, each item {_wanted(node['items'], definitions)}"
    if node["type"] == "object":
        fields = ", ".join(node.get("properties", ()))
        return f"an object with {fields}" if fields else "an object of JSON values"
    if "examples" in node:
        return f"{PLAIN[node['type']]} such as {' or '.join(map(str, node['examples']))}"
    if "minimum" in node and "maximum" in node:
        return f"{PLAIN[node['type']]} from {node['minimum']} to {node['maximum']}"
    if node.get("minLength") == 1:
        return "text that is not empty"
    bounds = [f" {words} {node[key]}" for key, words in BOUNDS.items() if key in node]
    return PLAIN[node["type"]] + " and".join(bounds)
