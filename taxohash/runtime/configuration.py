"""Configuration: frozen dataclasses whose fields say what they take, and one line about what they do not take.

A configuration is plain data, JSON in and out, and may hold others. Pydantic checks it, strictly: no text is
read as a number, `true` is no number, nothing is rounded, NaN and infinity are refused, and so is an unknown
field. What JSON cannot tell apart is taken for what is wanted: 1 for 1.0, a list for a tuple, an object for a
configuration.
"""

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, TypeVar, dataclass_transform

from pydantic import AfterValidator, ConfigDict, Field, GetCoreSchemaHandler, Strict, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs, CoreSchema, to_jsonable_python

from taxohash.errors import TaxohashError
from taxohash.runtime.schema_words import refusal, shown, wanted_by

T = TypeVar("T")


def _as_json(data: dict[str, Any]) -> dict[str, Any]:
    try:
        copy: dict[str, Any] = json.loads(json.dumps(data, allow_nan=False))
    except (TypeError, RecursionError) as error:
        raise ValueError(error) from None
    return copy


# What fields take; more is said with pydantic's Field where it is needed.
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Series = Annotated[tuple[T, ...], Strict(False)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_as_json)]

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def configuration(cls: type[T]) -> type[T]:
    """Make a class a frozen, keyword-only dataclass that is checked whenever one is made.

    It works with the functions of `dataclasses` and with pickle.

    Raises:
        TaxohashError: when an instance is made; names the first bad field, its value and the remedy.
    """

    def schema(kind: type[T], source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        found: Any = handler.resolve_ref_schema(handler(source))
        return {**found, "strict": False}  # an object will do; its fields stay strict

    def init(self: Any, /, **values: Any) -> None:
        kind = type(self)
        try:
            kind.__pydantic_validator__.validate_python(ArgsKwargs((), values), self_instance=self)
        except ValidationError as error:
            raise TaxohashError(refusal(kind, error)) from None

    made: Any = cls
    made.__get_pydantic_core_schema__ = classmethod(schema)
    dataclass(made, frozen=True, kw_only=True, config=STRICT)
    made.__init__ = init
    return cls


def read(kind: type[T], data: Any) -> T:
    """The configuration that plain data describe; what they leave out has its default.

    Raises:
        TaxohashError: as `configuration`, or the data are no object.
    """
    if not isinstance(data, Mapping):
        raise TaxohashError(f"{shown(data)} is no configuration: give {wanted_by(kind)}")
    return kind(**data)


def parse(kind: type[T], text: str) -> T:
    """The configuration that JSON text describes.

    Raises:
        TaxohashError: as `read`, or the text is no JSON.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TaxohashError(f"{shown(text)} is not JSON ({error}): give {wanted_by(kind)}") from None
    return read(kind, data)


def plain(config: Any) -> dict[str, Any]:
    """A configuration as JSON holds it, defaults included."""
    data: dict[str, Any] = to_jsonable_python(config)
    return data


def canonical(config: Any) -> str:
    """One text for all configurations that are equal: it names runs and keys caches."""
    return json.dumps(plain(config), sort_keys=True)


def flat(data: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The leaves of nested objects by their dotted paths; an empty object is a leaf."""
    leaves: dict[str, Any] = {}
    for name, value in data.items():
        nested = isinstance(value, Mapping) and value
        leaves |= flat(value, f"{above}{name}.") if nested else {above + name: value}
    return leaves


def replaced(config: T, settings: Mapping[str, Any]) -> T:
    """The configuration with other values at some dotted paths.

    Raises:
        TaxohashError: as `configuration`.
    """
    data = plain(config)
    for path, value in settings.items():
        *parents, leaf = path.split(".")
        node = data
        for name in parents:
            if not isinstance(node.get(name), dict):
                node[name] = {}
            node = node[name]
        node[leaf] = value
    return read(type(config), data)
