"""A bounded pool, with work that the tests hold and let go."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from services.retrieval.workers import Workers
from services.web.refused import RefusedError


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers("work", 2, 3)
    yield made
    made.close()


def test_no_more_is_taken_than_threads_and_places_and_all_of_it_is_done(workers: Workers) -> None:
    let_go, done = threading.Event(), list[int]()

    def work(number: int) -> int:
        assert let_go.wait(30)
        done.append(number)
        return number

    async def scenario() -> None:
        tasks = [asyncio.create_task(workers.run(lambda n=number: work(n))) for number in range(5)]  # type: ignore[misc]
        await asyncio.sleep(0)
        for _ in range(3):
            with pytest.raises(RefusedError) as refused:
                await workers.run(lambda: work(9))
            assert (refused.value.status, refused.value.reason) == (429, "busy")
        let_go.set()
        assert await asyncio.gather(*tasks) == list(range(5))
        assert sorted(done) == list(range(5))
        assert await workers.run(lambda: 7) == 7

    asyncio.run(scenario())
    assert sum(thread.name.startswith("work") for thread in threading.enumerate()) <= 2


def test_work_that_nobody_waits_for_is_never_begun_and_what_is_begun_keeps_its_thread(
    workers: Workers,
) -> None:
    let_go, begun = threading.Event(), list[str]()

    def work(name: str) -> None:
        begun.append(name)
        assert let_go.wait(30)

    async def scenario() -> None:
        held = [asyncio.create_task(workers.run(lambda: work("held"))) for _ in range(2)]
        waiting = [asyncio.create_task(workers.run(lambda: work("waits"))) for _ in range(3)]
        while len(begun) < 2:
            await asyncio.sleep(0.001)
        for task in [*held, *waiting]:
            task.cancel()
        await asyncio.gather(*held, *waiting, return_exceptions=True)
        # The places of those that waited are free again, the threads are not.
        more = [asyncio.create_task(workers.run(lambda: work("more"))) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(RefusedError):
            await workers.run(lambda: work("too much"))
        let_go.set()
        await asyncio.gather(*more)

    asyncio.run(scenario())
    assert begun == ["held", "held", "more", "more", "more"]


def test_what_the_work_raises_is_raised_and_frees_its_place(workers: Workers) -> None:
    def fail() -> None:
        raise RefusedError(422, "image", "picture is no picture: send one")

    async def scenario() -> None:
        for _ in range(12):
            with pytest.raises(RefusedError, match="picture is no picture"):
                await workers.run(fail)

    asyncio.run(scenario())
