"""A bounded pool of threads with a time limit, so that no picture can hold the server up."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from services.retrieval.errors import RefusedError, busy
from services.retrieval.settings import Limits

T = TypeVar("T")


class Workers:
    """At most `limits.requests` requests under way, `limits.threads` of them computing.

    A thread that overruns its time cannot be stopped: its request is answered, and its place in the pool
    stays taken until it ends. What it works on is bounded by the limits on bytes and pixels.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._under_way = 0
        self._free = asyncio.Semaphore(limits.threads)
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="search")

    def __enter__(self) -> None:
        """Enter a request.

        Raises:
            RefusedError: 429, too many are under way.
        """
        if self._under_way >= self._limits.requests:
            raise busy(
                f"{self._under_way} searches are under way, as many as this server takes: try again in a second"
            )
        self._under_way += 1

    def __exit__(self, *_: object) -> None:
        self._under_way -= 1

    async def run(self, work: Callable[[], T], what: str) -> T:
        """Do `work` in the pool.

        Raises:
            RefusedError: 429 when no thread came free, 422 when the work took too long.
        """
        seconds = self._limits.answer_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._free.acquire()
        except TimeoutError:
            raise busy(f"no thread came free within {seconds:g} seconds: try again in a few", 5) from None
        loop = asyncio.get_running_loop()
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._free.release))
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise RefusedError(
                422, "time", f"{what} took longer than {seconds:g} seconds: send a smaller picture"
            ) from None

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
