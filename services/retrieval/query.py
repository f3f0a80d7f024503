"""A search as its client asked for it: from query string, content type and body to checked values.

Nothing of the picture is looked at here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from services.retrieval.form import Part, boundary_of, kind_of, parts_of, shown
from services.web.refused import RefusedError

IMAGE = "image"
PARAMETERS = ("k", "within", "ranking")
RANKINGS = ("weighted", "hamming")  # the first one where none is asked for
DEFAULT_K = 10


@dataclass(frozen=True)
class Query:
    """One search.

    Attributes:
        image: bytes of the picture, not decoded.
        k: number of answers wanted.
        within: path of a taxonomy node, or None for all items.
        weighted: whether by the weights of the picture's bits, or by the Hamming distance to its code.
    """

    image: bytes
    k: int
    within: str | None
    weighted: bool


@dataclass(frozen=True)
class Form:
    """How the body of a search is read.

    Attributes:
        boundary: of a form; None where the body is the picture itself.
    """

    boundary: bytes | None


def form_of(content_types: list[str]) -> Form:
    """How to read a body, by the content types that its request names; known before the body is there.

    Raises:
        RefusedError: 415, none of those that are read; 400, a form without a boundary.
    """
    header = ", ".join(content_types)
    found = kind_of(header) if len(content_types) == 1 else None
    if found and found[0] == "multipart/form-data":
        return Form(boundary_of(found[1]))
    if found and found[0].startswith("image/"):
        return Form(None)
    raise RefusedError(
        415,
        "content-type",
        f"content type is {shown(header)}: send multipart/form-data with the picture in 'image', or the picture itself as image/*",
    )


def query_of(body: bytes | bytearray, form: Form, parameters: Iterable[tuple[str, str]], most: int) -> Query:
    """Read and check a search.

    Args:
        parameters: of the query string; they may stand in the form as well, but not in both.
        most: answers.

    Raises:
        RefusedError: 400, with what is wrong.
    """
    texts: dict[str, str] = {}
    for name, value in parameters:
        _take(texts, name, value)
    images = [bytes(body)] if form.boundary is None else _images(parts_of(body, form.boundary), texts)
    if not images[0]:
        raise RefusedError(400, "form", "picture has no bytes: send one")
    return Query(
        image=images[0],
        k=parse_k(texts.get("k"), most),
        within=texts.get("within") or None,
        weighted=parse_ranking(texts.get("ranking")) == "weighted",
    )


def parse_k(text: str | None, most: int) -> int:
    """The number of answers wanted.

    Raises:
        RefusedError: not a whole number between 1 and `most`.
    """
    if text is None or text == "":
        return min(DEFAULT_K, most)
    if text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most:
        return int(text)
    raise RefusedError(
        400, "parameter", f"k is {shown(text)}: give a whole number from 1 to {most} (TAXOHASH_MAX_K)"
    )


def parse_ranking(text: str | None) -> str:
    """What the answers are ordered by.

    Raises:
        RefusedError: none of RANKINGS.
    """
    if (ranking := text or RANKINGS[0]) in RANKINGS:
        return ranking
    raise RefusedError(400, "parameter", f"ranking is {shown(ranking)}: give {' or '.join(RANKINGS)}")


def _images(parts: list[Part], texts: dict[str, str]) -> list[bytes]:
    """The one picture of a form; its texts go to `texts`."""
    images = []
    for part in parts:
        if part.name == IMAGE and part.is_file:
            images.append(part.content)
        elif part.name == IMAGE:
            raise RefusedError(400, "form", "field 'image' holds text: send it as a file, with a filename")
        elif part.is_file:
            raise RefusedError(
                400,
                "form",
                f"file in the field {shown(part.name)}: send one file, in 'image', and 'k', 'within' or 'ranking' as text",
            )
        else:
            _take(texts, part.name, _text(part))
    if len(images) != 1:
        raise RefusedError(
            400, "form", f"form has {len(images)} files in the field 'image': send exactly one"
        )
    return images


def _take(texts: dict[str, str], name: str, value: str) -> None:
    if name not in PARAMETERS:
        raise RefusedError(
            400,
            "form",
            f"field {shown(name)} is not known: send the file 'image', and 'k', 'within' or 'ranking' as text",
        )
    if name in texts:
        raise RefusedError(400, "form", f"parameter {name!r} is given twice: give it once")
    texts[name] = value


def _text(part: Part) -> str:
    try:
        return part.content.decode()
    except UnicodeDecodeError:
        raise RefusedError(400, "form", f"field {shown(part.name)} is not UTF-8: send it so") from None
