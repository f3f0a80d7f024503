"""The parameters of a query string as one of the models."""

from typing import Any
from urllib.parse import parse_qsl

from services.retrieval.form import shown
from services.retrieval.schemas.base import M, checked
from services.web.refused import RefusedError

Pairs = list[tuple[str, str]]


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
        RefusedError: 400, see `checked`; or one is given twice.
    """
    lists = {name for name, field in model.model_fields.items() if field.default_factory is list}
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in lists:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise RefusedError(400, "parameter", f"parameter {shown(name)} is given twice: give it once")
        else:
            values[name] = value
    return checked(model, values)
