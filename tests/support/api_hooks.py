"""What schemathesis is told of our API beside its description: words and pictures that lead somewhere, and what every answer has
(its variable SCHEMATHESIS_HOOKS names this module)."""

import base64
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import Failure

from tests.support.pictures import encoded, noise

PICTURES = [
    encoded(noise(12 + seed, 9, seed=seed), form) for seed, form in enumerate(("PNG", "JPEG", "WEBP"))
]
_BASE64 = [base64.b64encode(picture).decode() for picture in PICTURES]
# No schema can say what is there; three of four texts of these fields become one that is.
_KNOWN = {
    "image": _BASE64,
    "within": ["warm", "cold/blue"],
    "tags": ["summer"],
    "group_by": ["family", "kind"],
    "labels": ["warm/red/crimson", "cold/blue/sky"],
    "id": ["item 1", "item 2", "item 30"],
    "code": ["00f0f0", "0f0f00"],
}
_UNKNOWN = ("generation", "token")  # left out as often
_SHORT = 200  # what is longer may be so on purpose
# Of a server that did not read the request whole, whatever was asked of it.
_OF_EVERY_REQUEST = (405, 414, 431)

schemathesis.openapi.media_type(
    "image/*", st.sampled_from(PICTURES), aliases=["image/png", "image/jpeg", "image/webp", "image/gif"]
)


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """A body, with what there is in three of four of its fields."""
    return _known(body, len(repr(body)))


@schemathesis.hook
def map_query(context: Any, query: Any) -> Any:
    """The same of a query string."""
    return _known(query, len(repr(query)))


@schemathesis.check
def names_request_and_generation(ctx: Any, response: Any, case: Any) -> None:
    """Every answer names its request and the generation that is served, also one that the application did not make."""
    for name in ("x-request-id", "x-generation"):
        if not response.headers.get(name):
            raise Failure(
                operation=case.operation.label, title=f"No {name}", message=str(response.status_code)
            )


@schemathesis.check
def status_is_told(ctx: Any, response: Any, case: Any) -> None:
    """The description names the status, and not only whatever else goes wrong."""
    told = {*case.operation.definition.raw["responses"], *map(str, _OF_EVERY_REQUEST)}
    if str(response.status_code) not in told:
        raise Failure(
            operation=case.operation.label, title="Status is not told", message=str(response.status_code)
        )


def _known(part: Any, draw: int) -> Any:
    if isinstance(part, list):
        return [_known(one, draw + place) for place, one in enumerate(part)]
    if not isinstance(part, dict):
        return part
    found = {}
    for place, (name, value) in enumerate(part.items()):
        seldom = (draw + place) % 4 == 0
        if name in _UNKNOWN and isinstance(value, str) and not seldom and "code" not in part:
            continue
        known = name in _KNOWN and not seldom
        found[name] = _of(_KNOWN[name], value, draw) if known else _known(value, draw + 1)
    return found


def _of(known: list[str], value: Any, draw: int) -> Any:
    """A text, or a list of texts, that is there; what is neither stays as it is."""
    if isinstance(value, list):
        return [_of(known, one, draw) for one in value]
    return known[draw % len(known)] if isinstance(value, str) and len(value) < _SHORT else value
