"""Exact Hamming search over packed codes: build, search, change, save."""

import os
import threading
import weakref
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from taxohash.codes import code_bytes
from taxohash.errors import TaxohashError
from taxohash.hamming.arrange import ordered
from taxohash.hamming.layouts import Flat, Layout
from taxohash.hamming.moment import Allowed, Distances, Moment
from taxohash.hamming.restore import column, kept, restore, restore_flat
from taxohash.hamming.selection import Selection
from taxohash.hamming.storage import damaged, read_arrays, write_arrays
from taxohash.hamming.versions import Version, arranged, changed, check, fresh, merged, rebase, without
from taxohash.hamming.words import MAX_BITS, MIN_BITS, Rows, Words, check_bits, check_rows, distinct, to_words
from taxohash.runtime.configuration import configuration, read

MOST_ROWS = 2**32 - 1
Number = Annotated[int, Field(ge=0, le=MOST_ROWS)]

TAIL = (4096, 128)  # the tail may hold this many codes, or this fraction of the base
DEAD = (4096, 4)  # removed codes that the base may hold, likewise


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
    """Exact top-k and radius search over binary codes of `bits` bits, by Hamming distance, plain or weighted, ties by row.

    Any number of threads may search while others change the index: a search sees one version, a change is visible to
    the next search. Codes that cluster are grouped around centres and most are never looked at; other codes are
    bit-sliced and scanned. `build` decides by what it measures.
    """

    def __init__(self, bits: int, version: Version, built: int, centres: Words | None = None) -> None:
        self.bits = bits
        self._version = version
        self._built = built  # codes at the last decision about the arrangement
        self._arrived = max(version.live - built, 0)  # codes that came since
        self._centres = centres
        self._last: dict[str, int | str] = {}
        self._renew_locks()
        _indexes.add(self)

    def _renew_locks(self) -> None:
        self._lock = threading.Lock()  # held by whoever changes the index
        self._compacting = threading.Lock()  # held by whoever makes a new base

    @classmethod
    def build(
        cls,
        codes: npt.ArrayLike,
        bits: int,
        centres: npt.ArrayLike | None = None,
        rows: npt.ArrayLike | None = None,
        arrange: bool = True,
    ) -> Self:
        """An index over codes uint8[N, ceil(bits/8)] as numpy.packbits makes them; row i is codes[i].

        Args:
            codes: any N from 0; copied.
            bits: 8 to 1024.
            centres: uint8[n, ceil(bits/8)], a hasher's class codes: where the grouping starts from.
            rows: int64[N], the row of each code, each once, with any gaps.
            arrange: False leaves the codes as they are, to be searched at once; `compact` arranges them.

        Raises:
            TaxohashError: bits out of range, codes or centres of the wrong dtype or shape, or rows that are no
                row numbers, repeated, or not one a code.
        """
        words = to_words(codes, check_bits(bits))
        given = None if centres is None else to_words(centres, bits, "centres")
        if len(words) >= MOST_ROWS:
            raise TaxohashError(f"{len(words)} codes: an index holds fewer than {MOST_ROWS}")
        numbers = np.arange(len(words)) if rows is None else check_rows(rows, MOST_ROWS)
        _check_once(numbers, words)
        table, places = ordered(words, numbers)
        if np.may_share_memory(table, np.asarray(codes)):  # the caller's array is his
            table = table.copy()
        end = int(numbers.max(initial=-1)) + 1
        made = cls(bits, fresh(Flat(bits, table, places, len(words)), end), 0, given)
        if arrange:
            made.compact()
        return made

    def __reduce__(self) -> NoReturn:
        raise TaxohashError("a HammingIndex cannot be pickled or copied: save it, and load the file")

    def __len__(self) -> int:
        """Rows that can be found."""
        return self._version.live

    @property
    def rows(self) -> int:
        """One past the highest row ever given out, removed ones included: boolean masks have this length."""
        return self._version.end

    def select(self, allowed: npt.ArrayLike) -> Selection:
        """Prepare an allowed-set, a mask bool[rows] or an array of rows, for many searches.

        Raises:
            TaxohashError: a mask of another length, or rows out of range.
        """
        return Selection(allowed, self._version.end, self)

    def moment(self) -> Moment:
        """The index as it is now, to ask it several things that belong together."""
        return Moment(self.bits, self._version, self, self._last)

    def search(
        self,
        queries: npt.ArrayLike,
        k: int = 10,
        allowed: Allowed | None = None,
        threads: int = 1,
        weights: npt.ArrayLike | None = None,
    ) -> tuple[Distances, Rows]:
        """The k nearest rows of each query, by weights of its bits if there are any: see `Moment.search`."""
        return self.moment().search(queries, k, allowed, threads, weights)

    def range_search(
        self,
        queries: npt.ArrayLike,
        radius: float,
        allowed: Allowed | None = None,
        threads: int = 1,
        weights: npt.ArrayLike | None = None,
    ) -> tuple[Rows, Distances, Rows]:
        """All rows at distance `radius` or less of each query: see `Moment.range_search`."""
        return self.moment().range_search(queries, radius, allowed, threads, weights)

    def distances(
        self, query: npt.ArrayLike, rows: npt.ArrayLike, weights: npt.ArrayLike | None = None
    ) -> Distances:
        """The distance of each of some rows: see `Moment.distances`."""
        return self.moment().distances(query, rows, weights)

    def add(self, codes: npt.ArrayLike) -> Rows:
        """Append codes uint8[n, ceil(bits/8)]; their new rows int64[n].

        Raises:
            TaxohashError: codes of the wrong dtype or shape, or no row numbers left.
        """
        words = to_words(codes, self.bits)
        with self._lock:
            end = self._version.end
            if end + len(words) >= MOST_ROWS:
                raise TaxohashError(f"the index has given out {end} of {MOST_ROWS} rows: build a new one")
            rows = np.arange(end, end + len(words), dtype=np.int64)
            self._change(self._version, rows, words)
        self._compact_if_due()
        return rows

    def put(self, rows: npt.ArrayLike, codes: npt.ArrayLike) -> None:
        """Give rows int64[n], whether they exist, were removed or never given out, the codes uint8[n, ceil(bits/8)].

        Raises:
            TaxohashError: rows out of range or repeated, or codes of another shape.
        """
        self.change(rows, codes, ())

    def change(self, rows: npt.ArrayLike, codes: npt.ArrayLike, removed: npt.ArrayLike) -> None:
        """`put` rows and `remove` others in one change, of which no search sees a half.

        Raises:
            TaxohashError: see `put` and `remove`; or a row is put and removed.
        """
        words, at = to_words(codes, self.bits), check_rows(rows, MOST_ROWS)
        _check_once(at, words)
        with self._lock:
            version = self._version
            gone = check_rows(removed, version.end, "removed rows")
            if np.isin(at, gone).any():
                raise TaxohashError("a row is put and removed in one change: pass it once")
            self._change(without(version, np.concatenate([at, gone])), at, words)
        self._compact_if_due()

    def remove(self, rows: npt.ArrayLike) -> None:
        """Forget rows int64[n]. Removing a row twice is no error; `add` does not give its number out again.

        Raises:
            TaxohashError: rows out of range.
        """
        self.change((), np.empty((0, code_bytes(self.bits)), np.uint8), rows)

    def update(self, rows: npt.ArrayLike, codes: npt.ArrayLike) -> None:
        """Give rows int64[n] that exist the codes uint8[n, ceil(bits/8)].

        Raises:
            TaxohashError: rows out of range, removed or repeated, or codes of another shape.
        """
        words = to_words(codes, self.bits)
        with self._lock:
            version = self._version
            at = check_rows(rows, version.end)
            _check_once(at, words)
            remaining = without(version, at)
            if version.live - remaining.live != len(at):
                raise TaxohashError(
                    f"not all of the {len(at)} rows exist: add the codes of removed rows instead"
                )
            self._change(remaining, at, words)
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

    def _change(self, remaining: Version, rows: Rows, words: Words) -> None:
        self._version = changed(remaining, rows, words)
        self._arrived += len(rows)

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
            with self._lock:
                before, arrived = self._version, self._arrived
            if arrived <= self._built:
                self._rebase(before, merged(before))
                return
            base = arranged(
                before, self._centres
            )  # other codes than those that the last decision was made for
            self._rebase(before, base)
            with self._lock:
                self._built, self._arrived = len(base), self._arrived - arrived

    def _rebase(self, before: Version, base: Layout) -> None:
        with self._lock:
            self._version = rebase(before, self._version, base)


def _check_once(rows: Rows, words: Words) -> None:
    if len(rows) != len(words) or len(distinct(rows)) != len(rows):
        raise TaxohashError(
            f"{len(rows)} rows for {len(words)} codes: pass each row once, and one code a row"
        )


def _after_fork() -> None:
    """In the child of a fork: no thread of the parent lives on that held a lock."""
    for index in _indexes:
        index._renew_locks()


os.register_at_fork(after_in_child=_after_fork)
