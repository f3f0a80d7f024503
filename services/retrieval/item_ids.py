"""Ids of items in addresses: in a query string every id, in a path those that nothing on the way reads in another way.

Between client and service there may be proxies, and each may tidy a path: decode it once more, drop `.` and `..` and empty
segments, take a backslash for a slash. What is in doubt is refused, with the address that is not.
"""

import re
from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote

from starlette.types import Scope

from services.web.refused import RefusedError
from taxohash.errors import TaxohashError
from taxohash.identifiers import check_id, shown

What = Literal["item", "image", "thumbnail", "similar"]
PARTS: tuple[What, ...] = ("image", "thumbnail", "similar")  # of an item, below its own path

_PLAIN = re.compile("[A-Za-z0-9_.~-]+")  # what most ids are made of, and nobody encodes
# Control characters, line separators, and what stands for bytes that are no text.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd\ud800-\udfff]")


def link(what: What, item_id: str) -> str:
    """The address of an item, or of a part of it, whatever its id is."""
    return f"/v1/{what}?id={item_id if _PLAIN.fullmatch(item_id) else quote(item_id, safe='')}"


def id_in_query(pairs: Sequence[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """The id of a query string, and its other parameters.

    Raises:
        RefusedError: 400, there is none, or several, or no item can have it.
    """
    ids = [value for name, value in pairs if name == "id"]
    if len(ids) != 1:
        raise RefusedError(
            400, "parameter", f"'id' is given {len(ids)} times: name one item, as in /v1/item?id=..."
        )
    try:
        return check_id(ids[0]), [pair for pair in pairs if pair[0] != "id"]
    except TaxohashError as error:
        raise RefusedError(400, "parameter", str(error)) from None


def id_in_path(scope: Scope, what: What, text: str) -> str:
    """The id of a path.

    Args:
        scope: of the request.
        what: is asked for.
        text: where the id stands in the path, decoded.

    Raises:
        RefusedError: 404, no item can have it, or it is not safe in a path.
    """
    if reason := _doubt(text) or _other_path(scope, what):
        raise RefusedError(
            404, "path", f"item id {shown(text)} cannot stand in a path ({reason}): use /v1/{what}?id=..."
        )
    try:
        return check_id(text)
    except TaxohashError as error:
        raise RefusedError(404, "item", str(error)) from None


def _doubt(text: str) -> str:
    """Why an id is not safe in a path; empty where it is."""
    segments = text.split("/")
    if not text:
        return "it is empty"
    if _UNSEEN.search(text):
        return "it has control characters or bytes that are no text"
    if "%" in text or "\\" in text:
        return "it has % or a backslash, which may be read in another way"
    if "" in segments:
        return "it begins or ends with a slash, or has two in a row"
    if not {".", ".."}.isdisjoint(segments):
        return "a part of it is . or .."
    if len(segments) > 1 and segments[-1] in PARTS:
        return f"it ends like the address of the {segments[-1]} of another item"
    return ""


def _other_path(scope: Scope, what: What) -> str:
    """Why the path, as it was sent, may be that of something else."""
    sent: bytes = scope.get("raw_path") or b""
    if what != "item" and sent and not sent.endswith(b"/" + what.encode()):
        return "a part of its address is encoded that need not be"
    return ""
