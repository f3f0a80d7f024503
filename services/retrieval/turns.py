"""Who writes an item waits for who writes it already.

So each sees which pictures it takes the place of, and none is left that nobody looks at any more.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """Of the items that are written now; for one event loop."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        """Number of items that somebody writes or waits for."""
        return len(self._locks)

    @asynccontextmanager
    async def of(self, item_id: str) -> AsyncIterator[None]:
        """The turn to write an item, first come first served."""
        lock = self._locks.get(item_id)
        if lock is None:
            lock = self._locks[item_id] = asyncio.Lock()
        async with lock:
            yield
