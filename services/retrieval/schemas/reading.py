"""Values of a request as one of the models, or one sentence of what is wrong with them."""

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from services.web.refused import RefusedError

M = TypeVar("M", bound=BaseModel)
Pairs = list[tuple[str, str]]
_SHOWN = 60  # characters of what was sent


def read(model: type[M], values: Mapping[str, Any], reason: str = "request") -> M:
    """A model of these values.

    Args:
        reason: of the refusal.

    Raises:
        RefusedError: 400, a value is missing, is not known, or is none that it may be.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RefusedError(400, reason, _sentence(model, error)) from None


def pairs_of(query: bytes) -> Pairs:
    """The names and values of a query string.

    Raises:
        RefusedError: 400, it is not UTF-8.
    """
    try:
        return parse_qsl(query.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise RefusedError(400, "parameter", "the query string is not UTF-8: encode it so") from None


def read_pairs(model: type[M], pairs: Pairs) -> M:
    """The parameters of a query string. One that is a list in the model may be given several times, any other once.

    Raises:
        RefusedError: 400, see `read`; or one is given twice.
    """
    lists = {name for name, field in model.model_fields.items() if field.default_factory is list}
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in lists:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise RefusedError(400, "parameter", f"parameter {_shown(name)} is given twice: give it once")
        else:
            values[name] = value
    return read(model, values, "parameter")


def _sentence(model: type[BaseModel], error: ValidationError) -> str:
    """The first of what is wrong."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])[:_SHOWN]
    if first["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) if len(first["loc"]) == 1 else "what the documentation names"
        return f"{_shown(name)} is not known here: give {known or 'nothing'}"
    if first["type"] == "missing":
        return f"{_shown(name)} is missing: give it"
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error" and not first["loc"]:
        return said
    return f"{_shown(name)} is {_shown(first['input'])}: {said[:1].lower()}{said[1:]}"


def _shown(value: Any) -> str:
    text = repr(value[:_SHOWN] + "..." * (len(value) > _SHOWN)) if isinstance(value, str) else repr(value)
    return text if len(text) <= 4 * _SHOWN else f"{text[:_SHOWN]}..."
