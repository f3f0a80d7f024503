"""Work on a loop of its own, while the loop that waits for it is held up."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.retrieval.aside import Aside
from services.web.refused import RefusedError


@asynccontextmanager
async def started() -> AsyncIterator[Aside]:
    aside = Aside("aside")
    aside.start()
    try:
        yield aside
    finally:
        aside.stop()
    assert "aside" not in {thread.name for thread in threading.enumerate()}


def test_what_runs_aside_goes_on_while_the_own_loop_is_held_up() -> None:
    done = threading.Event()

    async def work() -> str:
        for _ in range(10):
            await asyncio.sleep(0)
        done.set()
        return threading.current_thread().name

    async def scenario() -> None:
        async with started() as aside:
            task = asyncio.create_task(aside.run(work()))
            await asyncio.sleep(0)
            assert done.wait(30)  # this loop does nothing meanwhile
            assert await task == "aside"

    asyncio.run(scenario())


def test_what_is_cancelled_here_is_cancelled_there_and_what_is_raised_there_is_raised_here() -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def forever() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def refuse() -> None:
        raise RefusedError(422, "image", "no picture: send one")

    async def scenario() -> None:
        async with started() as aside:
            task = asyncio.create_task(aside.run(forever()))
            while not begun.is_set():
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert cancelled.wait(30)
            with pytest.raises(RefusedError, match="send one"):
                await aside.run(refuse())

    asyncio.run(scenario())
