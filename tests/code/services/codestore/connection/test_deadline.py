"""What is left of a deadline."""

import itertools
import time

import pytest

from services.codestore.connection.address import parse_address
from services.codestore.connection.deadline import Deadline
from services.codestore.connection.errors import SilenceError
from services.codestore.connection.sockets import connected


@pytest.mark.parametrize("step", [0.25, 0.5, 0.75])
def test_a_timeout_is_never_0_however_late_the_clock_is_read(
    step: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(step=step)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    deadline = Deadline(1.0)
    for _ in range(round(1.0 / step) + 1):
        try:
            assert deadline.timeout() > 0
        except TimeoutError:
            return
    pytest.fail("it never passes")


def test_nothing_is_connected_to_when_it_has_passed() -> None:
    with pytest.raises(SilenceError, match="no connection came about in time"):
        connected(parse_address("redis://127.0.0.1:1"), Deadline(-1.0))


def test_the_sooner_of_two_counts() -> None:
    assert Deadline(100.0).within(1.0).left <= 1.0
    assert Deadline(1.0).within(100.0).left <= 1.0
    assert Deadline(-1.0).left == 0.0
