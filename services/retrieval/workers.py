"""A few threads with a bounded queue before them."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from services.web.refused import busy

T = TypeVar("T")


class Workers:
    """Threads that are never more. One whose work nobody waits for any more goes on to its end: let all work end by itself."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        """Start nothing yet.

        Args:
            name: of the threads, and of what they do in messages.
            waiting: pieces of work that may wait for a thread.
        """
        self._name = name
        self._places = threading.Semaphore(threads + waiting)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, work: Callable[[], T]) -> T:
        """Do it in a thread; if this is cancelled before it is begun, it never is.

        Raises:
            RefusedError: 429, too much waits for a thread.
            Whatever `work` raises.
        """
        if not self._places.acquire(blocking=False):
            raise busy(f"too much waits for the {self._name}: try again in a second")
        try:
            future = self._pool.submit(work)
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _leave(self, _: "Future[T]") -> None:
        self._places.release()
