"""What an attempt may end in: an answer, or a refusal in one line."""

from collections.abc import Callable
from typing import TypeVar

from taxohash.errors import TaxohashError

T = TypeVar("T")


def answer(call: Callable[[], T]) -> T | None:
    """What a call returns, or None if it refuses in one line; whatever else it raises is a find."""
    try:
        return call()
    except TaxohashError as error:
        if len(str(error).splitlines()) != 1:
            raise AssertionError(f"a refusal that is not one line: {error}") from None
        return None
