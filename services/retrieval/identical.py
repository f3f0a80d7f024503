"""Which items have the very picture that is searched for: one of equal pixels.

Only items with the query's code can, and of these only such whose pictures have its fingerprint, by chance one in 63 of the others. The
store knows the hash of their pixels. Of items that were put before there was one it knows the sha256 of the picture and of its
thumbnail, and they have the very picture where either is that of the query's bytes. What it said is kept while nothing changes.
A search does not wait for it: where it does not answer at once, nothing is marked.
"""

import asyncio
from collections.abc import Callable, Sequence

from services.codestore import CodeStore
from services.codestore.pictures import digest_of
from services.retrieval.workers import Workers
from taxohash.errors import TaxohashError

MOST_LIKE = 256  # items that are asked for
_KEPT = 100_000  # items of which it is kept what the store said
_SECONDS = 0.1
_PAUSE_SECONDS = 5.0  # after a store that did not answer in time


class Identical:
    """Of one collection; for one event loop."""

    def __init__(self, store: Callable[[], CodeStore], asking: Workers, collection: str) -> None:
        self._store, self._asking, self._collection = store, asking, collection
        # Digests of picture and thumbnail and the hash of pixels, by item.
        self._known: dict[str, tuple[str, ...]] = {}
        self._of: tuple[str, int] | None = None
        self._again = 0.0

    async def among(
        self, image: bytes, pixels: str, ids: Sequence[str], generation: str, changes: int
    ) -> frozenset[str]:
        """Those of some items that have this picture, as far as can be told now.

        Args:
            pixels: the hash of its pixels.
            changes: of the view that the items were found in.
        """
        if (generation, changes) != self._of or len(self._known) > _KEPT:
            self._known, self._of = {}, (generation, changes)
        known = self._known
        if missing := [item for item in ids if item not in known]:
            known.update(await self._asked(missing, generation))
        same = {digest_of(image), pixels}
        return frozenset(item for item in ids if not same.isdisjoint(known.get(item, ())))

    async def _asked(self, ids: list[str], generation: str) -> dict[str, tuple[str, ...]]:
        clock = asyncio.get_running_loop().time

        def ask() -> dict[str, tuple[str, ...]]:
            found = self._store().items(self._collection, ids, generation)
            told = [one.looks if one else () for one in found]
            return dict(zip(ids, told, strict=True))

        if clock() < self._again:
            return {}
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._asking.run(ask)
        except (TimeoutError, TaxohashError):  # away, slow, or asked too much
            self._again = clock() + _PAUSE_SECONDS
            return {}
