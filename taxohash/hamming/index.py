"""Exact Hamming search over packed codes: build, search, change, save."""

import itertools
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Self, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from taxohash.errors import TaxohashError
from taxohash.hamming.arrange import make_layout
from taxohash.hamming.centres import NO_MASK, NO_ROWS
from taxohash.hamming.kernels import flat
from taxohash.hamming.kernels.conventions import EMPTY, LOW, SHIFT
from taxohash.hamming.kernels.intrinsics import CODES
from taxohash.hamming.layouts import Bitmap, Flat, Keys, Layout, Sliced, bring
from taxohash.hamming.restore import column, kept, restore, restore_flat
from taxohash.hamming.selection import Selection
from taxohash.hamming.storage import damaged, read_arrays, write_arrays
from taxohash.hamming.versions import Version, append, check, fresh, merged, rearrange, rebase, without
from taxohash.hamming.words import MAX_BITS, MIN_BITS, Rows, Words, check_bits, check_rows, to_words
from taxohash.runtime.configuration import configuration, read

MOST_ROWS = 2**32 - 1
Number = Annotated[int, Field(ge=0, le=MOST_ROWS)]
T = TypeVar("T")
R = TypeVar("R")
Distances = npt.NDArray[np.int32]

LONG_K = 2048  # from here on distances are counted first and the k nearest collected and sorted
TAIL = (4096, 128)  # the tail may hold this many codes, or this fraction of the base
DEAD = (4096, 4)  # removed codes that the base may hold, likewise
SPLIT = 1 << 20  # codes from which several threads share one query


@configuration
class Header:
    """What an index file says beside its arrays."""

    bits: Annotated[int, Field(ge=MIN_BITS, le=MAX_BITS)]
    layout: Literal["flat", "sliced", "rings"]
    count: Number
    dead: Number
    removed: Number
    end: Number
    built: Number


# All that live, for the child of a fork.
_indexes: "weakref.WeakSet[HammingIndex]" = weakref.WeakSet()


class HammingIndex:
    """Exact top-k and radius search over binary codes of `bits` bits, by Hamming distance, ties by row.

    Any number of threads may search while others change the index: a search sees one version, a change is visible to
    the next search. Codes that cluster are grouped around centres and most are never looked at; other codes are
    bit-sliced and scanned. `build` decides by what it measures.
    """

    def __init__(self, bits: int, version: Version, built: int) -> None:
        self.bits = bits
        self._version = version
        self._built = built  # codes at the last decision about the arrangement
        self._last: dict[str, int | str] = {}
        self._renew_locks()
        _indexes.add(self)

    def _renew_locks(self) -> None:
        self._lock = threading.Lock()  # held by whoever changes the index
        self._compacting = threading.Lock()  # held by whoever makes a new base

    @classmethod
    def build(cls, codes: npt.ArrayLike, bits: int, centres: npt.ArrayLike | None = None) -> Self:
        """An index over codes uint8[N, ceil(bits/8)] as numpy.packbits makes them; row i is codes[i].

        Args:
            codes: any N from 0; copied.
            bits: 8 to 1024.
            centres: uint8[n, ceil(bits/8)], a hasher's class codes: where the grouping starts from.

        Raises:
            TaxohashError: bits out of range, or codes or centres of the wrong dtype or shape.
        """
        words = to_words(codes, check_bits(bits))
        given = None if centres is None else to_words(centres, bits, "centres")
        if len(words) >= MOST_ROWS:
            raise TaxohashError(f"{len(words)} codes: an index holds fewer than {MOST_ROWS}")
        base = make_layout(bits, words.ravel(), NO_ROWS, given)
        if isinstance(base, Flat):
            base = replace(base, codes=base.codes.copy())  # the caller's array is his
        return cls(bits, fresh(base, len(words)), len(words))

    def __reduce__(self) -> NoReturn:
        raise TaxohashError("a HammingIndex cannot be pickled or copied: save it, and load the file")

    def __len__(self) -> int:
        """Rows that can be found."""
        return self._version.live

    @property
    def rows(self) -> int:
        """Rows ever given out, removed ones included: boolean masks have this length."""
        return self._version.end

    def select(self, allowed: npt.ArrayLike) -> Selection:
        """Prepare an allowed-set, a mask bool[rows] or an array of rows, for many searches.

        Raises:
            TaxohashError: a mask of another length, or rows out of range.
        """
        return Selection(allowed, self._version.end, self)

    def search(
        self,
        queries: npt.ArrayLike,
        k: int = 10,
        allowed: "npt.ArrayLike | Selection | None" = None,
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
        version = self._version
        selection = self._selection(allowed, version)
        most = min(k, version.live if selection is None else min(version.live, selection.count))
        base, mask, tail_mask = _apply(version, selection)
        if most > LONG_K:
            return self._search_long(asked, most, base, version.tail, mask, tail_mask)
        best: Keys = np.empty((max(len(asked), 1), max(most, 1)), dtype=np.uint64)
        best.fill(EMPTY)
        if len(asked) == 0 or most == 0:
            most = min(most, _count_allowed(base, mask, version.tail, tail_mask))
            return np.empty((len(asked), most), dtype=np.int32), np.empty((len(asked), most), dtype=np.int64)
        touched = _search_base(base, asked, mask, best, threads)
        if len(version.tail):
            bring(version.tail, asked, tail_mask, best, ordered=False)
        if selection is not None:
            most = min(most, int(np.count_nonzero(best[0] != EMPTY)))
        distances = np.empty((len(asked), most), dtype=np.int32)
        rows = np.empty((len(asked), most), dtype=np.int64)
        flat.finish(best, distances, rows)
        self._last = {
            "path": base.layout,
            "queries": len(asked),
            "touched": touched + len(asked) * len(version.tail),
        }
        return distances, rows

    def range_search(
        self,
        queries: npt.ArrayLike,
        radius: int,
        allowed: "npt.ArrayLike | Selection | None" = None,
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
        version = self._version
        base, mask, tail_mask = _apply(version, self._selection(allowed, version))
        radius = min(int(radius), self.bits)

        def one(query: Words) -> Keys:
            return _collect(query, radius, base, version.tail, mask, tail_mask)

        found = _each(one, list(asked), threads)
        limits = np.zeros(len(asked) + 1, dtype=np.int64)
        np.cumsum([keys.size for keys in found], out=limits[1:])
        distances, rows = _split(np.concatenate([np.empty(0, dtype=np.uint64), *found]))
        return limits, distances, rows

    def add(self, codes: npt.ArrayLike) -> Rows:
        """Append codes uint8[n, ceil(bits/8)]; their new rows int64[n].

        Raises:
            TaxohashError: codes of the wrong dtype or shape, or no row numbers left.
        """
        words = to_words(codes, self.bits)
        with self._lock:
            version = self._version
            rows = np.arange(version.end, version.end + len(words), dtype=np.int64)
            if version.end + len(words) >= MOST_ROWS:
                raise TaxohashError(
                    f"the index has given out {version.end} of {MOST_ROWS} rows: build a new one"
                )
            tail = append(version.tail, words, rows)
            self._version = replace(version, tail=tail, end=version.end + len(words))
        self._compact_if_due()
        return rows

    def remove(self, rows: npt.ArrayLike) -> None:
        """Forget rows int64[n]. Removing a row twice is no error; its number is not given out again.

        Raises:
            TaxohashError: rows out of range.
        """
        with self._lock:
            self._version = without(self._version, check_rows(rows, self._version.end))
        self._compact_if_due()

    def update(self, rows: npt.ArrayLike, codes: npt.ArrayLike) -> None:
        """Give rows int64[n] the codes uint8[n, ceil(bits/8)].

        Raises:
            TaxohashError: rows out of range, removed or repeated, or codes of another shape.
        """
        words = to_words(codes, self.bits)
        with self._lock:
            version = self._version
            at = check_rows(rows, version.end)
            if len(at) != len(words) or len(np.unique(at)) != len(at):
                raise TaxohashError(
                    f"{len(at)} rows for {len(words)} codes: pass each row once, and one code a row"
                )
            remaining = without(version, at)
            if version.live - remaining.live != len(at):
                raise TaxohashError(
                    f"not all of the {len(at)} rows exist: add the codes of removed rows instead"
                )
            self._version = replace(remaining, tail=append(remaining.tail, words, at))
        self._compact_if_due()

    def compact(self) -> None:
        """Bring the tail into the base and forget removed codes now. Searches and changes go on meanwhile."""
        self._compact(always=True)

    def save(self, path: str | Path) -> None:
        """Write the index to one file, whole or not at all."""
        version = self._version
        header = {
            "bits": self.bits, "layout": version.base.layout, "count": len(version.base), "dead": version.dead,
            "removed": version.removed, "end": version.end, "built": self._built,
        }  # fmt: skip
        arrays = {f"base_{name}": array for name, array in kept(version.base).items()}
        arrays |= {f"tail_{name}": array for name, array in version.tail.arrays().items()}
        write_arrays(Path(path), header, {**arrays, "alive": version.alive})

    @classmethod
    def load(cls, path: str | Path, mmap: bool = True) -> Self:
        """An index written by `save`. With `mmap` its codes are views of the file, which processes share.

        Bytes are compared with their checksums, and arrays with each other, so that no search goes astray in them.

        Raises:
            TaxohashError: no such file, not an index, one of another version, or a truncated or damaged one.
        """
        file = Path(path)
        data, arrays = read_arrays(file, mmap)
        base = {
            name.removeprefix("base_"): array for name, array in arrays.items() if name.startswith("base_")
        }
        try:
            header = read(Header, data)
            bits, rows = header.bits, arrays["tail_rows"]
            tail = restore_flat(bits, rows.size, {"codes": arrays["tail_codes"], "rows": rows})
            made = restore(bits, header.layout, header.count, base)
            alive = column(arrays, "alive", np.uint8)
            version = Version(made, alive, header.dead, tail, header.removed, header.end)
            check(version)
        except (TaxohashError, ValueError, KeyError) as error:
            raise damaged(file, str(error)) from None
        return cls(bits, version, header.built)

    def stats(self) -> dict[str, Any]:
        """Rows, bytes, the arrangement, and what the last search did.

        `rows` given out, `live` ones, `tail` codes not yet in the base, `bits`, `layout` ("rings", "sliced", "flat"),
        `bytes` of all arrays, `bytes_per_code`; of the last search `path`, `queries` and `touched` (codes looked at).
        """
        version = self._version
        size = sum(a.nbytes for a in version.base.arrays().values()) + version.alive.nbytes
        size += version.tail.codes.nbytes + version.tail.rows.nbytes
        return {
            "rows": version.end, "live": version.live, "tail": len(version.tail), "bits": self.bits,
            "layout": version.base.layout, "bytes": size, "bytes_per_code": size / max(version.live, 1), **self._last,
        }  # fmt: skip

    def _selection(self, allowed: "npt.ArrayLike | Selection | None", version: Version) -> Selection | None:
        if allowed is None:
            return None
        if isinstance(allowed, Selection):
            if allowed.index is not self:
                raise TaxohashError("the selection is of another index: make it with this one's select()")
            return allowed
        return Selection(allowed, version.end, self, once=True)

    def _search_long(
        self, asked: Words, most: int, base: Layout, tail: Flat, mask: Bitmap, tail_mask: Bitmap
    ) -> tuple[Distances, Rows]:
        """`search` for long rankings: count the distances, then collect and sort what is near enough."""
        most = min(most, _count_allowed(base, mask, tail, tail_mask))
        distances = np.empty((len(asked), most), dtype=np.int32)
        rows = np.empty((len(asked), most), dtype=np.int64)
        for i, query in enumerate(asked):
            counts = np.zeros(self.bits + 1, dtype=np.int64)
            base.histogram(query, mask, counts)
            tail.histogram(query, tail_mask, counts)
            radius = int(np.searchsorted(counts.cumsum(), most))
            distances[i], rows[i] = _split(_collect(query, radius, base, tail, mask, tail_mask)[:most])
        self._last = {
            "path": base.layout,
            "queries": len(asked),
            "touched": len(asked) * (len(base) + len(tail)),
        }
        return distances, rows

    def _is_due(self) -> bool:
        version = self._version
        size = len(version.base)
        return len(version.tail) > max(TAIL[0], size // TAIL[1]) or version.dead > max(
            DEAD[0], size // DEAD[1]
        )

    def _compact_if_due(self) -> None:
        if self._is_due() and not self._compacting.locked():
            threading.Thread(target=self._compact, args=(False,), name="hamming-compaction").start()

    def _compact(self, always: bool) -> None:
        with self._compacting:
            if not always and not self._is_due():
                return
            before = self._version
            base = merged(before)
            if len(base) > 2 * self._built:
                base, self._built = rearrange(base), len(base)
            with self._lock:
                self._version = rebase(before, self._version, base)


def _apply(version: Version, selection: Selection | None) -> tuple[Layout, Bitmap, Bitmap]:
    """What to search instead of the base, and the masks for it and for the tail."""
    alive = version.alive if version.dead else NO_MASK
    if selection is None:
        return version.base, alive, NO_MASK
    base, masked = selection.apply(version.base)
    if masked:
        if version.dead:
            shared = min(alive.size, selection.bitmap.size)
            alive = alive[:shared] & selection.bitmap[:shared]
        else:
            alive = selection.bitmap
    return base, alive, selection.bitmap


def _count_allowed(base: Layout, mask: Bitmap, tail: Flat, tail_mask: Bitmap) -> int:
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


def _collect(query: Words, radius: int, base: Layout, tail: Flat, mask: Bitmap, tail_mask: Bitmap) -> Keys:
    """The sorted keys of all allowed codes within `radius`."""
    keys, size = base.collect(query, radius, mask, np.empty(64, dtype=np.uint64), 0)
    keys, size = tail.collect(query, radius, tail_mask, keys, size)
    return np.sort(keys[:size])


def _split(keys: Keys) -> tuple[Distances, Rows]:
    return (keys >> SHIFT).astype(np.int32), (keys & LOW).astype(np.int64)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="hamming")


def _after_fork() -> None:
    """In the child of a fork: no thread of the parent lives on, neither a pool's nor one that held a lock."""
    _pool.cache_clear()
    for index in _indexes:
        index._renew_locks()


os.register_at_fork(after_in_child=_after_fork)


def _each(work: Callable[[T], R], items: list[T], threads: int) -> list[R]:
    """`work` on all items, in order, on several threads where asked for."""
    if threads == 1 or len(items) < 2:
        return [work(item) for item in items]
    cuts = np.linspace(0, len(items), min(threads, len(items)) + 1).astype(int)
    parts = [items[start:stop] for start, stop in itertools.pairwise(cuts)]
    return [
        result for part in _pool().map(lambda part: [work(item) for item in part], parts) for result in part
    ]
