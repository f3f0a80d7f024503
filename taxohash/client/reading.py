"""JSON as one of the frozen dataclasses of answers: unknown fields are passed over, known ones are what they say."""

import dataclasses
import types
from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


class NotAsDescribedError(ValueError):
    """A value is not of the kind that it should be of; the client says whose answer it was."""


def read(kind: type[T], told: Any) -> T:
    """A dataclass of an object's fields. One that is named `raw` gets all of the object.

    Raises:
        NotAsDescribedError: it is no object, a field without a default lacks, or is of another kind.
    """
    if not isinstance(told, Mapping):
        raise NotAsDescribedError
    values: dict[str, Any] = {}
    for name, hint, is_needed in _fields(cast(Hashable, kind)):
        if name == "raw":
            values[name] = told
        elif name in told:
            values[name] = _value(hint, told[name])
        elif is_needed:
            raise NotAsDescribedError
    return kind(**values)


@cache
def _fields(kind: Any) -> tuple[tuple[str, Any, bool], ...]:
    """Name, type, and whether there is no default."""
    hints = get_type_hints(kind)
    return tuple(
        (
            field.name,
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
    )


def _value(hint: Any, told: Any) -> Any:
    if isinstance(hint, types.UnionType):  # of one kind and None
        (kind,) = (each for each in get_args(hint) if each is not types.NoneType)
        return None if told is None else _value(kind, told)
    if get_origin(hint) is tuple and isinstance(told, list):
        return tuple(_value(get_args(hint)[0], one) for one in told)
    if get_origin(hint) is Mapping and isinstance(told, Mapping):
        return told
    if dataclasses.is_dataclass(hint):
        return read(hint, told)  # type: ignore[arg-type]
    if hint is float and type(told) in (int, float):
        return float(told)
    if hint in (str, int, bool) and type(told) is hint:
        return told
    raise NotAsDescribedError
