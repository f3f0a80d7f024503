"""Identifiers of items: up to 1,024 bytes of UTF-8, any characters."""

from taxohash.errors import TaxohashError

MAX_BYTES = 1024
_SHOWN = 40  # characters of an identifier that an error shows


def check_id(text: str) -> str:
    """The identifier itself, if it is one.

    Raises:
        TaxohashError: empty, longer than MAX_BYTES, or with a lone surrogate, which UTF-8 does not have.
    """
    shown = ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise TaxohashError(f"id {shown} is not UTF-8: rename it") from None
    if not 1 <= length <= MAX_BYTES:
        raise TaxohashError(f"id {shown} has {length:,} bytes: give one of 1 to {MAX_BYTES:,}")
    return text
