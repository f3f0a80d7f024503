"""What all models have in common, and what is said of a request that is not as its model has it."""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from services.retrieval.form import shown
from services.web.refused import RefusedError

M = TypeVar("M", bound="Request")

MOST_QUERIES = 64
MOST_FILTERS = 64  # nodes, or tags, of one search

# What to give instead of what was refused.
WANTED = {
    "radius": "a whole number from 0 to 4096",
    "within": f"a node of the taxonomy, or a list of up to {MOST_FILTERS}",
    "tags": f"a tag, or a list of up to {MOST_FILTERS}",
    "group_by": "the name of a level",
    "token": "one that a write has answered",
    "ranking": "weighted or hamming",
    "explain": "true or false",
    "weights": "true or false",
    "generation": "the id of one",
    "image": "the bytes of a picture in base64",
    "images": f"a list of 1 to {MOST_QUERIES} pictures, the bytes of each in base64",
    "id": "the id of an item",
    "code": "hexadecimal digits",
    "who": "who asks for it, at most 200 characters",
    "why": "the reason, at most 1000 characters",
    "instead_of": "the id of the generation that must be published until then",
    "queries": f"a list of 1 to {MOST_QUERIES}, each an object with image, id or code",
}


def exactly_one(*kinds: tuple[str, ...]) -> dict[str, Any]:
    """A part of a JSON schema: the fields of one kind are there, and none of another."""
    every = {name for kind in kinds for name in kind}
    there, absent = {"type": ["string", "array"]}, {"type": "null"}
    return {
        "oneOf": [
            {
                "required": list(kind),
                "properties": {name: there if name in kind else absent for name in sorted(every)},
            }
            for kind in kinds
        ]
    }


class Request(BaseModel):
    """What comes from a client: nothing is converted, and nothing is there that is not known.

    Attributes:
        wanted: what to give instead of what was refused, by field; the model's own words where there is nothing.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
    wanted: ClassVar[Mapping[str, str]] = WANTED


class Told(BaseModel):
    """What goes to a client. Never made on the way: the tests hold answers against it."""

    model_config = ConfigDict(extra="forbid", strict=True)


def checked(model: type[M], fields: Mapping[str, Any], reason: str = "parameter") -> M:
    """The fields as a model has them.

    Args:
        reason: of the refusal.

    Raises:
        RefusedError: 400, there is one that it does not have, or that is of another kind, or one lacks.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise RefusedError(400, reason, _sentence(model, error)) from None


def _sentence(model: type[Request], error: ValidationError) -> str:
    """What is wrong first: name, value and remedy."""
    first = error.errors(include_url=False)[0]
    name, said = ".".join(str(part) for part in first["loc"]), first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) if len(first["loc"]) == 1 else ""
        return f"field {shown(name)} is not known: {f'use one of {known}' if known else 'leave it out'}"
    if not name and first["type"] == "value_error":  # of fields that do not go together
        return said
    wanted, is_list = model.wanted.get(str(first["loc"][0]) if name else ""), isinstance(first["input"], list)
    name = (
        str(first["loc"][0]) if wanted else name or "request"
    )  # which of several kinds was meant is not known
    if first["type"] == "missing":
        return f"{name} is missing: give {wanted or 'it'}"
    if first["type"] == "model_type":
        said = "give an object"
    value = f"a list of {len(first['input'])}" if is_list else shown(first["input"])
    return f"{name} is {value}: {f'give {wanted}' if wanted else said[:1].lower() + said[1:]}"
