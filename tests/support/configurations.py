"""Values for the fields of configurations: any JSON."""

from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st

from taxohash.errors import TaxohashError

T = TypeVar("T")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def outcome(make: Callable[[], T]) -> tuple[T | None, str]:
    """What was made, or None, and the one line that refused it."""
    try:
        return make(), ""
    except TaxohashError as error:
        (line,) = str(error).splitlines()
        return None, line
