"""Pauses between tries."""

from hypothesis import given
from hypothesis import strategies as st

from taxohash.client import Retries


@given(st.integers(1, 30), st.floats(0, 1), st.integers(0, 10**6))
def test_a_pause_is_drawn_below_a_bound_that_doubles_and_after_what_is_asked_for(
    failed: int, drawn: float, asked: int
) -> None:
    retries = Retries(first=0.5, longest=4, draw=lambda: drawn)
    jitter = drawn * min(4.0, 0.5 * 2 ** (failed - 1))
    assert retries.pause(failed) == jitter
    assert retries.pause(failed, str(asked)) == min(4, asked) + jitter


def test_of_what_is_no_number_of_seconds_nothing_is_made() -> None:
    retries = Retries(draw=lambda: 0.0)
    for asked in ("", "soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "1e9", "²", "9" * 400):
        assert retries.pause(1, asked) == 0
