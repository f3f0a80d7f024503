"""How the body of a request is read, by its content type, and what may stand in it: texts and pictures, not decoded."""

import binascii
from dataclasses import dataclass

from services.retrieval.form import Part, boundary_of, kind_of, shown
from services.web.refused import RefusedError

IMAGE = "image"  # the field with the picture
_PIECE = 1 << 18  # digits of base64 that are read without another thread's turn


@dataclass(frozen=True)
class Form:
    """How a body is read.

    Attributes:
        boundary: of a form.
        is_json: else it is the picture itself.
    """

    boundary: bytes | None = None
    is_json: bool = False


def form_of(content_types: list[str], is_picture: bool = True) -> Form:
    """How to read a body, by the content types that its request names; known before the body is there.

    Args:
        is_picture: whether it may be the picture itself.

    Raises:
        RefusedError: 415, none of those that are read; 400, a form without a boundary.
    """
    header = ", ".join(content_types)
    found = kind_of(header) if len(content_types) == 1 else None
    if found and found[0] == "multipart/form-data":
        return Form(boundary_of(found[1]))
    if found and found[0].startswith("image/") and is_picture:
        return Form()
    if found and found[0] == "application/json":
        return Form(is_json=True)
    itself = "with the picture in 'image', the picture itself as image/*, " if is_picture else ""
    raise RefusedError(
        415,
        "content-type",
        f"content type is {shown(header)}: send multipart/form-data {itself}or application/json",
    )


def json_of(content_types: list[str]) -> Form:
    """How to read a body that has to be JSON.

    Raises:
        RefusedError: 415, by its content type it is none.
    """
    found = kind_of(content_types[0]) if len(content_types) == 1 else None
    if not found or found[0] != "application/json":
        raise RefusedError(
            415, "content-type", "the body is no JSON by its content type: send application/json"
        )
    return Form(is_json=True)


def text_of(part: Part) -> str:
    """A part of a form that is text.

    Raises:
        RefusedError: 400, it is not UTF-8.
    """
    try:
        return part.content.decode()
    except UnicodeDecodeError:
        raise RefusedError(400, "form", f"field {shown(part.name)} is not UTF-8: send it so") from None


def picture_of(content: bytes) -> bytes:
    """A picture as it was sent.

    Raises:
        RefusedError: 400, there is nothing of it.
    """
    if not content:
        raise RefusedError(400, "form", "picture has no bytes: send one")
    return content


def picture_in(digits: str) -> bytes:
    """A picture from its base64.

    Raises:
        RefusedError: 400, it is no base64, or of nothing.
    """
    starts = range(0, len(digits), _PIECE)
    try:
        pieces = [binascii.a2b_base64(digits[at : at + _PIECE], strict_mode=True) for at in starts]
        if any(
            len(piece) < _PIECE // 4 * 3 for piece in pieces[:-1]
        ):  # what fills up stands at the end alone
            raise ValueError
    except ValueError:  # no ASCII, or no base64
        raise RefusedError(
            400,
            "parameter",
            f"image {shown(digits)} is not base64: send the picture's bytes so, without line breaks",
        ) from None
    return picture_of(b"".join(pieces))
