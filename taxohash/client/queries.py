"""What a search is for, and what is wanted of its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from taxohash.errors import TaxohashError


@dataclass(frozen=True)
class ItemId:
    """A query by item: what is like it, by its stored code; it is no answer itself."""

    id: str


@dataclass(frozen=True)
class Code:
    """A query by a code of the generation that is served, in hexadecimal."""

    code: str


Picture = str | Path | bytes
Query = Picture | ItemId | Code


class Wishes(TypedDict, total=False):
    """What is wanted of an answer.

    Attributes:
        k: answers; 10, or with a radius as many as there may be.
        radius: all items within this Hamming distance.
        within: paths of taxonomy nodes: items below one of them.
        tags: items that have all of them.
        group_by: a level of the taxonomy.
        ranking: `weighted`, which is what a picture is ranked by, or `hamming`.
        explain: say how the answer came about.
        generation: that must answer; a code means nothing to another.
        token: of a write that the answer must have seen, beside the client's own.
    """

    k: int | None
    radius: int | None
    within: str | Sequence[str] | None
    tags: str | Sequence[str] | None
    group_by: str | None
    ranking: str | None
    explain: bool
    generation: str | None
    token: str | None


def fields_of(wishes: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are given, as JSON has them."""
    given = {  # 0 is given, and equals False
        name: value
        for name, value in wishes.items()
        if value is not None and value is not False and value != ""
    }
    return {
        name: list(value) if isinstance(value, list | tuple | set | frozenset) else value
        for name, value in given.items()
    }


def texts_of(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Fields as a form or a query string has them; one of a list for each."""
    listed = [
        (name, one)
        for name, value in fields.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    return [(name, "true" if value is True else str(value)) for name, value in listed]


def bytes_of(picture: Picture) -> bytes:
    """The bytes of a picture, or of the file of it.

    Raises:
        TaxohashError: the file cannot be read.
    """
    if isinstance(picture, bytes):
        return picture
    try:
        return Path(picture).read_bytes()
    except (OSError, ValueError) as error:  # a path with a null byte is no value
        why = getattr(error, "strerror", None) or error
        raise TaxohashError(f"picture {picture} cannot be read ({why}): give an image file") from None


def query_of(picture: Picture | None, id: str | None, code: str | None) -> Query:
    """The one that is given of these.

    Raises:
        TaxohashError: none of them, or several.
    """
    given: list[Query] = [] if picture is None else [picture]
    given += [] if id is None else [ItemId(id)]
    given += [] if code is None else [Code(code)]
    if len(given) != 1:
        raise TaxohashError(f"search has {len(given)} queries: give one of a picture, id= and code=")
    return given[0]
