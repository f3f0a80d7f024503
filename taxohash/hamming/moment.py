"""What an index holds at one moment, and every answer about it."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError
from taxohash.hamming.following import Belongs, Following
from taxohash.hamming.kernels import flat
from taxohash.hamming.kernels.conventions import EMPTY, LOW, SHIFT
from taxohash.hamming.kernels.intrinsics import CODES
from taxohash.hamming.layouts import Bitmap, Keys, Layout, Sliced, bring
from taxohash.hamming.selection import Scope, Selection, whole
from taxohash.hamming.versions import Version
from taxohash.hamming.words import Rows, Words, to_words

T = TypeVar("T")
R = TypeVar("R")
Distances = npt.NDArray[np.int32]
Allowed = npt.ArrayLike | Selection | Following

LONG_K = 2048  # from here on distances are counted first and the k nearest collected and sorted
SPLIT = 1 << 20  # codes from which several threads share one query


class Moment:
    """An index as it was when `HammingIndex.moment` was called: its answers stay, whatever is changed since.

    It keeps the codes of then in memory: take one for what belongs together, and let it go.

    Attributes:
        changes: how many changes had been made; two moments of an index with as many have the same answers.
        touched: what the last search did, for `HammingIndex.stats`.
    """

    def __init__(self, bits: int, version: Version, index: object, touched: dict[str, int | str]) -> None:
        self.bits, self.changes, self.touched = bits, version.changes, touched
        self._version, self._index = version, index

    def __len__(self) -> int:
        """Rows that can be found."""
        return self._version.live

    def follow(self, before: Following | None, belongs: Belongs) -> Following:
        """An allowed-set for searches of this moment, made from that of an earlier one where that is possible.

        Args:
            before: what this method gave for an earlier moment.
            belongs: which of some rows are allowed at this moment. What is true of a row changes only when it is put
                again.
        """
        if before is not None and before.index is not self._index:
            before = None
        if before is not None and before.is_of(self._version):
            return before
        return Following(self._version, self._index, before, belongs)

    def search(
        self,
        queries: npt.ArrayLike,
        k: int = 10,
        allowed: Allowed | None = None,
        threads: int = 1,
    ) -> tuple[Distances, Rows]:
        """The k nearest rows of each query.

        Args:
            queries: uint8[Q, ceil(bits/8)].
            k: how many.
            allowed: a mask bool[rows], an array of rows, or a `Selection`; None allows all.
            threads: how many to use; the interpreter's lock is not held.

        Returns:
            distances int32[Q, k'] and rows int64[Q, k'], ascending distance, ties by row,
            where k' = min(k, allowed rows that exist).

        Raises:
            TaxohashError: k or threads out of range, queries of the wrong dtype or shape, a wrong allowed-set.
        """
        asked = to_words(queries, self.bits, "queries")
        if k < 0 or threads < 1:
            raise TaxohashError(
                f"k is {k} and threads {threads}: pass k of 0 or more and threads of 1 or more"
            )
        selection = self._selection(allowed)
        scope = whole(self._version) if selection is None else selection.scope(self._version)
        base, mask, tail, tail_mask = scope
        most = min(k, len(self) if selection is None else min(len(self), selection.count))
        if most > LONG_K:
            return self._search_long(asked, most, scope)
        best: Keys = np.empty((max(len(asked), 1), max(most, 1)), dtype=np.uint64)
        best.fill(EMPTY)
        if len(asked) == 0 or most == 0:
            most = min(most, _count_allowed(scope))
            return np.empty((len(asked), most), dtype=np.int32), np.empty((len(asked), most), dtype=np.int64)
        touched = _search_base(base, asked, mask, best, threads)
        if len(tail):
            bring(tail, asked, tail_mask, best, ordered=False)
        if selection is not None:
            most = min(most, int(np.count_nonzero(best[0] != EMPTY)))
        distances = np.empty((len(asked), most), dtype=np.int32)
        rows = np.empty((len(asked), most), dtype=np.int64)
        flat.finish(best, distances, rows)
        self.touched.update(
            {
                "path": base.layout,
                "queries": len(asked),
                "touched": touched + len(asked) * len(tail),
            }
        )
        return distances, rows

    def range_search(
        self,
        queries: npt.ArrayLike,
        radius: int,
        allowed: Allowed | None = None,
        threads: int = 1,
    ) -> tuple[Rows, Distances, Rows]:
        """All rows at distance `radius` or less of each query.

        Returns:
            limits int64[Q + 1], distances int32[n], rows int64[n]: query i has the answers limits[i]:limits[i + 1],
            ascending distance, ties by row.

        Raises:
            TaxohashError: as `search`; a negative radius.
        """
        asked = to_words(queries, self.bits, "queries")
        if radius < 0 or threads < 1:
            raise TaxohashError(f"radius is {radius} and threads {threads}: pass 0 or more, and 1 or more")
        selection = self._selection(allowed)
        scope = whole(self._version) if selection is None else selection.scope(self._version)
        radius = min(int(radius), self.bits)

        def one(query: Words) -> Keys:
            return _collect(query, radius, scope)

        found = _each(one, list(asked), threads)
        limits = np.zeros(len(asked) + 1, dtype=np.int64)
        np.cumsum([keys.size for keys in found], out=limits[1:])
        distances, rows = _split(np.concatenate([np.empty(0, dtype=np.uint64), *found]))
        return limits, distances, rows

    def _selection(self, allowed: Allowed | None) -> Selection | Following | None:
        if allowed is None:
            return None
        if isinstance(allowed, Selection | Following):
            if allowed.index is not self._index:
                raise TaxohashError("the selection is of another index: make it with this one's select()")
            return allowed
        return Selection(allowed, self._version.end, self._index, once=True)

    def _search_long(self, asked: Words, most: int, scope: Scope) -> tuple[Distances, Rows]:
        """`search` for long rankings: count the distances, then collect and sort what is near enough."""
        base, mask, tail, tail_mask = scope
        most = min(most, _count_allowed(scope))
        distances = np.empty((len(asked), most), dtype=np.int32)
        rows = np.empty((len(asked), most), dtype=np.int64)
        for i, query in enumerate(asked):
            counts = np.zeros(self.bits + 1, dtype=np.int64)
            base.histogram(query, mask, counts)
            tail.histogram(query, tail_mask, counts)
            radius = int(np.searchsorted(counts.cumsum(), most))
            distances[i], rows[i] = _split(_collect(query, radius, scope)[:most])
        self.touched.update(
            {
                "path": base.layout,
                "queries": len(asked),
                "touched": len(asked) * (len(base) + len(tail)),
            }
        )
        return distances, rows


def _count_allowed(scope: Scope) -> int:
    base, mask, tail, tail_mask = scope
    return len(flat.positions(base.rows, mask, len(base))) + len(
        flat.positions(tail.rows, tail_mask, len(tail))
    )


def _search_base(base: Layout, queries: Words, mask: Bitmap, best: Keys, threads: int) -> int:
    """`base.search` on several threads: each takes some queries, or, of few queries, some of the codes."""
    if threads == 1 or (len(queries) == 1 and len(base) < SPLIT):
        return base.search(queries, mask, best)
    if len(queries) < threads and isinstance(base, Sliced) and len(base) >= SPLIT:
        step = -(-len(base) // (threads * CODES)) * CODES
        parts = [(np.full_like(best, EMPTY), start) for start in range(0, len(base), step)]
        touched = sum(
            _each(
                lambda p: base.search_part(queries, mask, p[0], p[1], min(p[1] + step, len(base))),
                parts,
                threads,
            )
        )
        best[:] = np.sort(np.concatenate([part for part, _ in parts], axis=1), axis=1)[:, : best.shape[1]][
            :, ::-1
        ]
        return touched
    cuts = np.linspace(0, len(queries), min(threads, len(queries)) + 1).astype(np.int64)
    spans = list(itertools.pairwise(cuts))
    return sum(
        _each(
            lambda span: base.search(queries[span[0] : span[1]], mask, best[span[0] : span[1]]),
            spans,
            threads,
        )
    )


def _collect(query: Words, radius: int, scope: Scope) -> Keys:
    """The sorted keys of all allowed codes within `radius`."""
    base, mask, tail, tail_mask = scope
    keys, size = base.collect(query, radius, mask, np.empty(64, dtype=np.uint64), 0)
    keys, size = tail.collect(query, radius, tail_mask, keys, size)
    return np.sort(keys[:size])


def _split(keys: Keys) -> tuple[Distances, Rows]:
    return (keys >> SHIFT).astype(np.int32), (keys & LOW).astype(np.int64)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="hamming")


os.register_at_fork(after_in_child=lambda: _pool.cache_clear())  # no thread of the parent lives on


def _each(work: Callable[[T], R], items: list[T], threads: int) -> list[R]:
    """`work` on all items, in order, on several threads where asked for."""
    if threads == 1 or len(items) < 2:
        return [work(item) for item in items]
    cuts = np.linspace(0, len(items), min(threads, len(items)) + 1).astype(int)
    parts = [items[start:stop] for start, stop in itertools.pairwise(cuts)]
    return [
        result for part in _pool().map(lambda part: [work(item) for item in part], parts) for result in part
    ]
