"""What may be an item's id: any text whose UTF-8 bytes are few enough to be a key, a row and a part of an address."""

from taxohash.errors import TaxohashError

MAX_BYTES = 1024
# In the path of an address they name a folder, however they are quoted (URL Standard, 4.4).
_DOTS = (".", "..")
_SHOWN = 60  # characters of a refused id that its error tells


def check_id(text: str) -> str:
    """The id itself: 1 to MAX_BYTES bytes of UTF-8, line breaks and other control characters included.

    Raises:
        TaxohashError: it is no string, empty, too long, has a lone surrogate, which UTF-8 cannot hold, or is `.` or
            `..`, which no address can name.
    """
    if not isinstance(text, str):
        raise TaxohashError(f"item id {text!r} is not a string: convert it")
    try:
        length = len(text.encode())
    except UnicodeEncodeError as error:
        raise TaxohashError(
            f"item id {shown(text)} has the lone surrogate {text[error.start]!r}: give text that UTF-8 can hold"
        ) from None
    if not 1 <= length <= MAX_BYTES:
        raise TaxohashError(
            f"item id {shown(text)} has {length} bytes of UTF-8: keep it between 1 and {MAX_BYTES}"
        )
    if text in _DOTS:
        raise TaxohashError(f"item id {shown(text)} cannot stand in an address: give it another name")
    return text


def shown(text: str) -> str:
    """The beginning of an id for a line of text: quoted, and nothing in it that breaks the line."""
    return repr(text[:_SHOWN]) + ("..." if len(text) > _SHOWN else "")
