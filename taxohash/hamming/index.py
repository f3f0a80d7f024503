"""Exact Hamming search over packed codes."""

import threading
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError
from taxohash.hamming.selection import Selection, row_mask
from taxohash.hamming.storage import read_arrays, write_arrays
from taxohash.hamming.words import Rows, Words, check_bits, check_rows, to_words

Distances = npt.NDArray[np.int32]


class HammingIndex:
    """Exact top-k and radius search over binary codes."""

    def __init__(self, bits: int, words: Words, alive: npt.NDArray[np.bool_]) -> None:
        self.bits = bits
        self._state = (words, alive)
        self._lock = threading.Lock()

    @classmethod
    def build(cls, codes: npt.ArrayLike, bits: int, centres: npt.ArrayLike | None = None) -> Self:
        """An index over codes uint8[N, ceil(bits/8)]; row i is codes[i]."""
        words = to_words(codes, check_bits(bits)).copy()
        if centres is not None:
            to_words(centres, bits, "centres")
        return cls(bits, words, np.ones(len(words), dtype=np.bool_))

    def __len__(self) -> int:
        return int(self._state[1].sum())

    @property
    def rows(self) -> int:
        """Rows ever given out, removed ones included: allowed masks have this length."""
        return len(self._state[0])

    def select(self, allowed: npt.ArrayLike) -> Selection:
        """An allowed-set prepared for many searches."""
        return Selection(row_mask(allowed, self.rows).copy())

    def search(
        self, queries: npt.ArrayLike, k: int = 10, allowed: "npt.ArrayLike | Selection | None" = None, threads: int = 1
    ) -> tuple[Distances, Rows]:
        """The k nearest rows of each query: int32[Q, k'], int64[Q, k'], ascending, ties by row."""
        if k < 0:
            raise TaxohashError(f"k is {k}: pass 0 or more")
        asked, words, rows = self._resolve(queries, allowed)
        k = min(k, len(rows))
        distances = np.empty((len(asked), k), dtype=np.int32)
        found = np.empty((len(asked), k), dtype=np.int64)
        for i, query in enumerate(asked):
            d = np.bitwise_count(words ^ query).sum(axis=1, dtype=np.int32)
            order = np.argsort(d, kind="stable")[:k]
            distances[i], found[i] = d[order], rows[order]
        return distances, found

    def range_search(
        self, queries: npt.ArrayLike, radius: int, allowed: "npt.ArrayLike | Selection | None" = None, threads: int = 1
    ) -> tuple[Rows, Distances, Rows]:
        """All rows within `radius` (inclusive) of each query; query i has the answers limits[i]:limits[i + 1]."""
        asked, words, rows = self._resolve(queries, allowed)
        limits, distances, found = [0], [np.empty(0, np.int32)], [np.empty(0, np.int64)]
        for query in asked:
            d = np.bitwise_count(words ^ query).sum(axis=1, dtype=np.int32)
            order = np.argsort(d, kind="stable")
            order = order[d[order] <= radius]
            distances.append(d[order])
            found.append(rows[order])
            limits.append(limits[-1] + len(order))
        return np.array(limits, dtype=np.int64), np.concatenate(distances), np.concatenate(found)

    def add(self, codes: npt.ArrayLike) -> Rows:
        """Append codes; their new rows int64[n]."""
        new = to_words(codes, self.bits)
        with self._lock:
            words, alive = self._state
            self._state = (np.concatenate([words, new]), np.concatenate([alive, np.ones(len(new), np.bool_)]))
        return np.arange(len(words), len(words) + len(new))

    def remove(self, rows: npt.ArrayLike) -> None:
        """Forget rows; a row removed before is not an error. Row numbers are never given out again."""
        with self._lock:
            words, alive = self._state
            alive = alive.copy()
            alive[check_rows(rows, len(words))] = False
            self._state = (words, alive)

    def update(self, rows: npt.ArrayLike, codes: npt.ArrayLike) -> None:
        """Replace the codes of live rows."""
        new = to_words(codes, self.bits)
        with self._lock:
            words, alive = self._state
            at = check_rows(rows, len(words))
            if len(at) != len(new):
                raise TaxohashError(f"{len(at)} rows and {len(new)} codes: pass one code a row")
            if not alive[at].all():
                raise TaxohashError(f"row {at[~alive[at]][0]} was removed: add its code instead")
            words = words.copy()
            words[at] = new
            self._state = (words, alive)

    def save(self, path: str | Path) -> None:
        """Write the index to one file, whole or not at all."""
        words, alive = self._state
        write_arrays(Path(path), {"bits": self.bits}, {"words": words, "alive": alive})

    @classmethod
    def load(cls, path: str | Path, mmap: bool = True) -> Self:
        """An index saved by `save`; with `mmap` the codes stay in the file until touched."""
        header, arrays = read_arrays(Path(path), mmap)
        return cls(header["bits"], arrays["words"], arrays["alive"])

    def stats(self) -> dict[str, int | str]:
        """Rows, live rows, bytes, and what the last search did."""
        words, alive = self._state
        return {"rows": len(words), "live": len(self), "bits": self.bits, "bytes": words.nbytes + alive.nbytes, "path": "flat"}

    def _resolve(self, queries: npt.ArrayLike, allowed: "npt.ArrayLike | Selection | None") -> tuple[Words, Words, Rows]:
        asked = to_words(queries, self.bits, "queries")
        words, alive = self._state
        if isinstance(allowed, Selection):
            mask = np.zeros(len(words), dtype=np.bool_)
            mask[: len(allowed.mask)] = allowed.mask[: len(words)]
            alive = alive & mask
        elif allowed is not None:
            alive = alive & row_mask(allowed, len(words))
        rows = np.flatnonzero(alive)
        return asked, words[rows], rows
