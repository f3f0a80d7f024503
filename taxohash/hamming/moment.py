"""What an index holds at one moment, and every answer about it."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes
from taxohash.errors import TaxohashError
from taxohash.hamming.following import Belongs, Following
from taxohash.hamming.kernels import flat
from taxohash.hamming.kernels.conventions import EMPTY, LOW, SHIFT
from taxohash.hamming.kernels.intrinsics import CODES
from taxohash.hamming.kernels.weighted import weigh_all
from taxohash.hamming.layouts import Bitmap, Keys, Layout, Sliced, bring
from taxohash.hamming.notes import Noted, positions
from taxohash.hamming.selection import Scope, Selection, whole
from taxohash.hamming.versions import Version
from taxohash.hamming.weights import Weights, to_weights
from taxohash.hamming.words import Rows, Words, check_rows, distinct, from_words, to_words, width_of

T = TypeVar("T")
R = TypeVar("R")
Distances = npt.NDArray[Any]  # int32, or float64 by weights
Allowed = npt.ArrayLike | Selection | Following

SHORT = 64  # answers within a radius that there is room for at first
LONG_K = 2048  # from here on distances are counted first and the k nearest collected and sorted
SPLIT = 1 << 20  # codes from which several threads share one query


class Moment:
    """An index as it was when `HammingIndex.moment` was called: its answers stay, whatever is changed since.

    It keeps the codes of then in memory: take one for what belongs together, and let it go.

    Attributes:
        changes: how many changes had been made; two moments of an index with as many have the same answers.
        touched: what the last search of this moment did, see `HammingIndex.stats`.
    """

    def __init__(self, bits: int, version: Version, index: object, told: dict[str, int | str]) -> None:
        """`told` is brought up to date with `touched`."""
        self.bits, self.changes = bits, version.changes
        self.touched: dict[str, int | str] = {}
        self._version, self._index, self._told = version, index, told

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
        weights: npt.ArrayLike | None = None,
    ) -> tuple[Distances, Rows]:
        """The k nearest rows of each query.

        By `weights` w >= 0 the distance of a code is not the number of bits in which it differs from the query, but the
        sum of their w. So that it does not depend on the order of a sum it is one of whole numbers: the w of a query
        are taken in multiples, each rounded to the nearest, of its greatest w / 2^(30 - ceil(log2 bits)), a
        2^24th of it for 64 bits. What is returned is that sum times this unit, in float64.

        Args:
            queries: uint8[Q, ceil(bits/8)].
            k: how many.
            allowed: a mask bool[rows], an array of rows, or a `Selection`; None allows all.
            threads: how many to use; the interpreter's lock is not held.
            weights: float32[Q, bits], of each query's bits as numpy.packbits numbers them: 0 is the highest of a code's
                first byte. Finite, 0 or more.

        Returns:
            distances int32[Q, k'], by weights float64[Q, k'], and rows int64[Q, k'], ascending distance, ties by row,
            where k' = min(k, allowed rows that exist).

        Raises:
            TaxohashError: k or threads out of range, queries of the wrong dtype or shape, wrong weights or a wrong
                allowed-set.
        """
        asked = to_words(queries, self.bits, "queries")
        weighed = None if weights is None else to_weights(weights, self.bits, len(asked))
        return self._search(asked, k, allowed, threads, weighed, weighed)[:2]

    def search_weighted(
        self,
        queries: npt.ArrayLike,
        weights: npt.ArrayLike,
        k: int = 10,
        allowed: Allowed | None = None,
        threads: int = 1,
    ) -> tuple[Distances, npt.NDArray[np.int32], Rows]:
        """What `search` finds by weights: weighted distances float64[Q, k'], Hamming distances int32[Q, k'], and rows int64[Q, k'].

        Raises:
            TaxohashError: as `search`.
        """
        asked = to_words(queries, self.bits, "queries")
        weighed = to_weights(weights, self.bits, len(asked))
        base, tail = (weighed.noting(max(k, 0) if k <= LONG_K else 0) for _ in range(2))
        weighted, rows, scope = self._search(asked, k, allowed, threads, base, tail)
        near = [
            self._near(query, own, scope, *noted)
            for query, own, *noted in zip(asked, rows, base.noted, tail.noted, strict=True)
        ]
        return weighted, np.array(near, np.int32).reshape(rows.shape), rows

    def _near(self, query: Words, rows: Rows, scope: Scope, *noted: Noted) -> npt.NDArray[Any]:
        """The Hamming distances of rows int64[n] that a search by weights has found in a scope.

        Args:
            noted: where in base and tail it has found them.
        """
        near = np.full(len(rows), -1, np.int32)
        for part, own in zip((scope.base, scope.tail), noted, strict=True):
            places = positions(own, rows)
            known = np.flatnonzero(places >= 0)
            known = known[np.argsort(places[known])]
            words = part.pick(places[known]).reshape(-1, len(query))
            near[known] = np.bitwise_count(words ^ query).sum(axis=1)
        if (near < 0).any():  # more came than there was room for, or nothing was noted
            return self.distances(from_words(query[None], self.bits), rows)
        return near

    def _search(
        self,
        asked: Words,
        k: int,
        allowed: Allowed | None,
        threads: int,
        weighed: Weights | None,
        of_tail: Weights | None,
    ) -> tuple[Distances, Rows, Scope]:
        """`search`, and what was searched; `of_tail` are the same weights, with room of their own for where answers lie."""
        if k < 0 or threads < 1:
            raise TaxohashError(
                f"k is {k} and threads {threads}: pass k of 0 or more and threads of 1 or more"
            )
        selection = self._selection(allowed)
        scope = whole(self._version) if selection is None else selection.scope(self._version)
        base, mask, tail, tail_mask = scope
        most = min(k, len(self) if selection is None else min(len(self), selection.count))
        if most > LONG_K:
            return *self._search_long(asked, most, scope, weighed), scope
        best: Keys = np.empty((max(len(asked), 1), max(most, 1)), dtype=np.uint64)
        best.fill(EMPTY)
        if len(asked) == 0 or most == 0:
            most = min(most, _count_allowed(scope))
            distances, rows = _empty(len(asked), most)
            return distances if weighed is None else weighed.distances(distances), rows, scope
        touched = _search_base(base, asked, mask, best, threads, weighed)
        if len(tail):
            bring(tail, asked, tail_mask, best, ordered=False, weights=of_tail)
        if selection is not None:
            most = min(most, int(np.count_nonzero(best[0] != EMPTY)))
        distances, rows = _empty(len(asked), most)
        flat.finish(best, distances, rows)
        self._tell(base, len(asked), touched + len(asked) * len(tail))
        return distances if weighed is None else weighed.distances(distances), rows, scope

    def range_search(
        self,
        queries: npt.ArrayLike,
        radius: float,
        allowed: Allowed | None = None,
        threads: int = 1,
        weights: npt.ArrayLike | None = None,
    ) -> tuple[Rows, Distances, Rows]:
        """All rows at distance `radius` or less of each query, by `weights` as `search` has them.

        Returns:
            limits int64[Q + 1], distances int32[n] (by weights float64[n]), rows int64[n]: query i has the answers limits[i]:limits[i + 1],
            ascending distance, ties by row.

        Raises:
            TaxohashError: as `search`; a radius that is negative or no number.
        """
        asked = to_words(queries, self.bits, "queries")
        if not radius >= 0 or threads < 1:
            raise TaxohashError(f"radius is {radius} and threads {threads}: pass 0 or more, and 1 or more")
        weighed = None if weights is None else to_weights(weights, self.bits, len(asked))
        selection = self._selection(allowed)
        scope = whole(self._version) if selection is None else selection.scope(self._version)
        if weighed is None:
            near = int(min(radius, self.bits))
            found = _each(lambda query: _collect(query, near, scope), list(asked), threads)
        else:
            within = list(weighed.limits(radius))
            found = _each(
                lambda i: _collect_weighted(asked[i : i + 1], weighed[i : i + 1], within[i], scope),
                list(range(len(asked))),
                threads,
            )
        counts = [keys.size for keys in found]
        limits = np.zeros(len(asked) + 1, dtype=np.int64)
        np.cumsum(counts, out=limits[1:])
        distances, rows = _split(np.concatenate([np.empty(0, dtype=np.uint64), *found]))
        return limits, distances if weighed is None else distances * np.repeat(weighed.scale, counts), rows

    def distances(
        self, query: npt.ArrayLike, rows: npt.ArrayLike, weights: npt.ArrayLike | None = None
    ) -> Distances:
        """The distance of each of some rows, int64[n], in their order, by `weights` as `search` has them.

        Takes about as long as a search: codes lie where they are found by distance, not by row.

        Args:
            query: uint8[1, ceil(bits/8)].
            rows: each once.
            weights: float32[1, bits].

        Returns:
            int32[n], by weights float64[n].

        Raises:
            TaxohashError: as `search`; several queries, or a row that is not there, or twice.
        """
        wanted = check_rows(rows, self._version.end)
        near, found = self.search(query, len(wanted), wanted, weights=weights)
        if found.shape != (1, len(wanted)):
            raise TaxohashError(
                f"{found.shape[1]} of {len(wanted)} rows are there, for {len(found)} queries: ask for rows that can be found, "
                "each once, of one query"
            )
        distances: Distances = np.empty(len(wanted), near.dtype)
        distances[np.argsort(wanted)] = near[0, np.argsort(found[0])]
        return distances

    def codes(self, rows: npt.ArrayLike) -> Codes:
        """The codes of some rows, in their order: uint8[n, ceil(bits/8)].

        Raises:
            TaxohashError: no row numbers, or a row that is not there.
        """
        wanted = check_rows(rows, self._version.end)
        unique = distinct(wanted)
        found = np.zeros(len(unique), np.bool_)
        words: Words = np.empty((len(unique), len(width_of(self.bits))), np.uint64)
        for part, alive in ((self._version.base, self._alive(unique)), (self._version.tail, None)):
            positions = _positions(part, unique if alive is None else unique[alive], self._version.end)
            at = np.searchsorted(unique, part.rows[positions] if part.rows.size else positions)
            words[at], found[at] = part.pick(positions).reshape(-1, words.shape[1]), True
        if not found.all():
            raise TaxohashError(f"row {unique[~found][0]} is not there: ask for rows that can be found")
        return from_words(words, self.bits)[np.searchsorted(unique, wanted)]

    def histogram(self, query: npt.ArrayLike, allowed: Allowed | None = None) -> Rows:
        """How many rows lie at each distance of a query uint8[1, ceil(bits/8)]: int64[bits + 1]. Looks at every code.

        Raises:
            TaxohashError: as `search`; several queries.
        """
        asked = to_words(query, self.bits, "queries")
        if len(asked) != 1:
            raise TaxohashError(f"{len(asked)} queries: ask for the distances of one")
        selection = self._selection(allowed)
        return self._histogram(
            asked[0], whole(self._version) if selection is None else selection.scope(self._version)
        )

    def _histogram(self, query: Words, scope: Scope) -> Rows:
        counts = np.zeros(self.bits + 1, dtype=np.int64)
        scope.base.histogram(query, scope.mask, counts)
        scope.tail.histogram(query, scope.tail_mask, counts)
        return counts

    def _alive(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """bool[n]: which rows are alive in the base."""
        alive = self._version.alive
        inside = rows < 8 * alive.size
        inside[inside] = (alive[rows[inside] >> 3] >> (rows[inside] & 7).astype(np.uint8)) & 1 != 0
        return inside

    def _tell(self, base: Layout, queries: int, touched: int) -> None:
        self.touched = {"path": base.layout, "queries": queries, "touched": touched}
        self._told.update(self.touched)

    def _selection(self, allowed: Allowed | None) -> Selection | Following | None:
        if allowed is None:
            return None
        if isinstance(allowed, Selection | Following):
            if allowed.index is not self._index:
                raise TaxohashError("the selection is of another index: make it with this one's select()")
            return allowed
        return Selection(allowed, self._version.end, self._index, once=True)

    def _search_long(
        self, asked: Words, most: int, scope: Scope, weighed: Weights | None
    ) -> tuple[Distances, Rows]:
        """`search` for long rankings: count the distances, then collect and sort what is near enough.

        Weighted distances, of which there are too many, are all written down.
        """
        base, _, tail, _ = scope
        most = min(most, _count_allowed(scope))
        distances, rows = _empty(len(asked), most)
        for i, query in enumerate(asked):
            if weighed is not None:
                keys = _weigh_all(query, weighed[i : i + 1], scope)
                distances[i], rows[i] = _split(np.sort(np.partition(keys, most - 1)[:most]))
                continue
            radius = int(np.searchsorted(self._histogram(query, scope).cumsum(), most))
            distances[i], rows[i] = _split(_collect(query, radius, scope)[:most])
        self._tell(base, len(asked), len(asked) * (len(base) + len(tail)))
        return distances if weighed is None else weighed.distances(distances), rows


def _positions(part: Layout, rows: Rows, end: int) -> Rows:
    """Where those of some ascending rows lie that a layout has: positions int64[n], ascending."""
    if not part.rows.size:
        return rows[rows < len(part)]
    known = part.rows[: len(part)]
    if len(rows) == 1:
        return np.flatnonzero(known == rows[0])
    wanted = np.zeros(end + 1, np.bool_)
    wanted[rows] = True
    return np.flatnonzero(wanted[np.minimum(known, end)])  # beyond `end` are rows that are removed


def _count_allowed(scope: Scope) -> int:
    base, mask, tail, tail_mask = scope
    return len(flat.positions(base.rows, mask, len(base))) + len(
        flat.positions(tail.rows, tail_mask, len(tail))
    )


def _empty(queries: int, most: int) -> tuple[npt.NDArray[np.int32], Rows]:
    """Room for distances and rows."""
    return np.empty((queries, most), dtype=np.int32), np.empty((queries, most), dtype=np.int64)


def _search_base(
    base: Layout, queries: Words, mask: Bitmap, best: Keys, threads: int, weights: Weights | None
) -> int:
    """`base.search` on several threads: each takes some queries, or, of few queries, some of the codes, and notes nothing then."""
    if threads == 1 or (len(queries) == 1 and len(base) < SPLIT):
        return base.search(queries, mask, best, weights)
    if len(queries) < threads and isinstance(base, Sliced) and len(base) >= SPLIT:
        step = -(-len(base) // (threads * CODES)) * CODES
        parts = [
            (best.copy(), start, None if weights is None else weights.noting(0))
            for start in range(0, len(base), step)
        ]
        touched = sum(
            _each(
                lambda p: base.search_part(queries, mask, p[0], p[1], min(p[1] + step, len(base)), p[2]),
                parts,
                threads,
            )
        )
        best[:] = np.sort(np.concatenate([part for part, *_ in parts], axis=1), axis=1)[:, : best.shape[1]][
            :, ::-1
        ]
        return touched
    cuts = np.linspace(0, len(queries), min(threads, len(queries)) + 1).astype(np.int64)
    spans = [slice(start, stop) for start, stop in itertools.pairwise(cuts)]

    def some(span: slice) -> int:
        return base.search(queries[span], mask, best[span], None if weights is None else weights[span])

    return sum(_each(some, spans, threads))


def _collect(query: Words, radius: int, scope: Scope) -> Keys:
    """The sorted keys of all allowed codes within `radius`."""
    base, mask, tail, tail_mask = scope
    keys, size = base.collect(query, radius, mask, np.empty(64, dtype=np.uint64), 0)
    keys, size = tail.collect(query, radius, tail_mask, keys, size)
    return np.sort(keys[:size])


def _collect_weighted(query: Words, weights: Weights, limit: np.int64, scope: Scope) -> Keys:
    """The sorted keys of all allowed codes within the whole distance `limit` of query uint64[1, W].

    A search whose heap has room for all, and holds the first key that is too great from the start.
    """
    base, mask, tail, tail_mask = scope
    beyond = np.uint64(limit + 1) << SHIFT
    for most in (SHORT, LONG_K):
        best: Keys = np.full((1, most), beyond)
        base.search(query, mask, best, weights)
        bring(tail, query, tail_mask, best, ordered=False, weights=weights)
        if best[0, 0] == beyond:
            return np.sort(best[best < beyond])
    keys = _weigh_all(query[0], weights, scope)
    return np.sort(keys[keys < beyond])


def _weigh_all(query: Words, weights: Weights, scope: Scope) -> Keys:
    """The keys of all allowed codes."""
    base, mask, tail, tail_mask = scope
    width, whole_weights = width_of(base.bits), weights.whole[0]
    return np.concatenate(
        [
            weigh_all(width, base.words(), base.rows, mask, len(base), query, whole_weights),
            weigh_all(width, tail.words(), tail.rows, tail_mask, len(tail), query, whole_weights),
        ]
    )


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
