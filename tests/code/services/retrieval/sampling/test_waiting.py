"""What waits for a thread is bounded, in its order, and never makes who brings it wait."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.sampling.waiting import Waiting
from tests.support.waiting import until

LONG = 60.0


@given(st.lists(st.integers(0, 9) | st.none(), max_size=40))
def test_so_many_wait_and_so_many_bytes(steps: list[int | None]) -> None:
    """Against a list: a number puts a thing of so many bytes, None takes one."""
    waiting: Waiting[int] = Waiting(3, 10)
    naive: list[tuple[int, int]] = []
    for number, size in enumerate(steps):
        if size is None:
            assert waiting.take(0.0) == (naive.pop(0)[0] if naive else None)
        else:
            room = len(naive) < 3 and sum(one for _, one in naive) + size <= 10
            assert waiting.put(number, size) == room
            naive += [(number, size)] * room
    assert waiting.clear() == len(naive)
    assert waiting.take(0.0) is None
    assert waiting.put(0, 10)


def test_what_waits_when_it_is_closed_is_given_and_nothing_more() -> None:
    waiting: Waiting[str] = Waiting(3, 10)
    assert waiting.put("a", 1)
    waiting.close()
    assert not waiting.put("b", 1)
    assert (waiting.take(LONG), waiting.take(LONG)) == ("a", None)


@pytest.mark.parametrize("use", ["take", "rest"])
def test_who_waits_is_woken_by_the_end(use: str) -> None:
    waiting: Waiting[str] = Waiting(3, 10)
    thread = threading.Thread(target=getattr(waiting, use), args=(LONG,))
    thread.start()
    waiting.close()
    thread.join(LONG / 2)
    assert not thread.is_alive()


def test_who_waits_is_woken_by_what_comes() -> None:
    waiting: Waiting[str] = Waiting(3, 10)
    given: list[str | None] = []
    thread = threading.Thread(target=lambda: given.append(waiting.take(LONG)))
    thread.start()
    assert waiting.put("a", 1)
    until(lambda: given == ["a"])
    thread.join()
