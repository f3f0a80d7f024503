"""Pictures that may be named by no item any more are removed, those of many requests together.

To know that nothing names a picture all items are looked at. So one look goes on at a time, what comes meanwhile shares the
next, and the store is left alone between them for longer than a look takes.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from services.retrieval.workers import Workers
from taxohash.errors import TaxohashError

LOG = logging.getLogger("taxohash")
_WAITING = 2  # a look under way, and the next
_REST = 3.0  # of the time that a look took


class Unused:
    """For one event loop.

    Args:
        remove: removes those of some pictures that no item names.
    """

    def __init__(self, remove: Callable[[frozenset[str]], object]) -> None:
        self._remove = remove
        self._workers = Workers("removal of pictures", 1, _WAITING)
        self._lock = asyncio.Lock()
        self._left: set[str] = set()
        self._next: asyncio.Task[bool] | None = None
        self._looks: set[asyncio.Task[bool]] = set()
        self._rests_until = 0.0

    def look(self, digests: Iterable[str]) -> "asyncio.Task[bool] | None":
        """Begin to remove those of some pictures that no item names.

        Args:
            digests: of their bytes, and of their pixels.

        Returns:
            What ends when that is done, with whether it could be; None where there are no pictures.
        """
        self._left |= set(digests)
        if self._left and self._next is None:
            self._next = asyncio.create_task(self._run())
            self._looks.add(self._next)
            self._next.add_done_callback(self._looks.discard)
        return self._next

    async def gone(self, digests: Iterable[str], seconds: float) -> bool:
        """Whether those of some pictures that no item names are removed, waiting so long for it; else it goes on.

        What could not be removed is tried again with the next.
        """
        if not (task := self.look(digests)):
            return True
        done, _ = await asyncio.wait([task], timeout=seconds)
        return bool(done) and not task.cancelled() and task.result()

    def close(self) -> None:
        """Begin nothing more, and wait for nothing."""
        self._workers.close()
        for look in self._looks:
            look.cancel()

    async def _run(self) -> bool:
        clock = asyncio.get_running_loop().time
        async with self._lock:
            await asyncio.sleep(self._rests_until - clock())
            begun = clock()
            digests, self._left, self._next = frozenset(self._left), set(), None
            try:
                await self._workers.run(lambda: self._remove(digests))
            except TaxohashError as error:
                self._left |= digests
                LOG.warning("%s pictures that may be unused are not removed: %s", len(digests), error)
                return False
            finally:
                self._rests_until = clock() + _REST * (clock() - begun)
            return True
