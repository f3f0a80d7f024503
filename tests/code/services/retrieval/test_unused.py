"""Pictures that nobody needs are looked for together, one look at a time."""

import asyncio
import threading
from collections.abc import Callable

from services.codestore import StoreUnavailableError
from services.retrieval.unused import Unused

SECONDS = 30.0


class Remove:
    """Notes what it is asked for; the first look waits until it is let go."""

    def __init__(self, failing: int = 0) -> None:
        self.asked: list[frozenset[str]] = []
        self.go = threading.Event()
        self._failing = failing

    def __call__(self, digests: frozenset[str]) -> None:
        self.asked.append(digests)
        assert self.go.wait(SECONDS)
        if self._failing:
            self._failing -= 1
            raise StoreUnavailableError("the store is away")


def test_what_comes_during_a_look_shares_the_next() -> None:
    remove = Remove()

    async def scenario() -> list[bool]:
        unused = Unused(remove)
        first = asyncio.create_task(unused.gone(["a"], SECONDS))
        await until(lambda: bool(remove.asked))
        others = [asyncio.create_task(unused.gone([letter, "x"], SECONDS)) for letter in "bcd"]
        await asyncio.sleep(0)
        remove.go.set()
        found = [await task for task in (first, *others)]
        unused.close()
        return found

    assert asyncio.run(scenario()) == [True] * 4
    assert remove.asked == [{"a"}, {"b", "c", "d", "x"}]


def test_nothing_is_looked_for_where_there_is_nothing() -> None:
    async def scenario() -> bool:
        return await Unused(Remove()).gone([], SECONDS)

    assert asyncio.run(scenario())


def test_who_cannot_wait_is_told_and_it_goes_on() -> None:
    remove = Remove()

    async def scenario() -> bool:
        unused = Unused(remove)
        assert not await unused.gone(["a"], 0.01)
        remove.go.set()
        return await unused.gone(["b"], SECONDS)

    assert asyncio.run(scenario())
    assert remove.asked == [{"a"}, {"b"}]


def test_what_could_not_be_removed_is_tried_with_the_next() -> None:
    remove = Remove(failing=1)
    remove.go.set()

    async def scenario() -> tuple[bool, bool]:
        unused = Unused(remove)
        return await unused.gone(["a"], SECONDS), await unused.gone(["b"], SECONDS)

    assert asyncio.run(scenario()) == (False, True)
    assert remove.asked == [{"a"}, {"a", "b"}]


def test_closing_ends_what_waits() -> None:
    remove = Remove()

    async def scenario() -> bool:
        unused = Unused(remove)
        waiting = [asyncio.create_task(unused.gone([letter], SECONDS)) for letter in "ab"]
        await until(lambda: bool(remove.asked))
        unused.look(["c"])
        unused.close()
        found = [await task for task in waiting]
        remove.go.set()
        return any(found)

    assert not asyncio.run(scenario())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.001)
