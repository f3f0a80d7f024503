"""What a search sees, and how changes make the next such version out of it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.hamming.arrange import make_layout, merge, ordered
from taxohash.hamming.centres import NO_MASK, NO_ROWS
from taxohash.hamming.kernels import flat
from taxohash.hamming.kernels.conventions import NOWHERE
from taxohash.hamming.layouts import Bitmap, Flat, Layout
from taxohash.hamming.words import Rows, Words, distinct, width_of


@dataclass(frozen=True)
class Version:
    """What a search sees. Never changed, only replaced, so that a search that has begun is not disturbed.

    The base is arranged for speed; the tail holds what was added or updated since. A row is alive in one of them.
    """

    base: Layout
    alive: Bitmap  # of the rows in the base
    dead: int  # rows of the base that are not alive
    tail: Flat  # a removed code has row NOWHERE; the arrays are longer than what is in use
    removed: int  # codes in the tail that are not alive
    end: int  # one past the highest row ever given out
    changes: int = 0  # that led to it; another base is none

    @property
    def live(self) -> int:
        return len(self.base) - self.dead + len(self.tail) - self.removed


def fresh(base: Layout, end: int) -> Version:
    """A version of nothing but a base whose rows are all alive."""
    empty = Flat(base.bits, np.empty(0, dtype=np.uint64), NO_ROWS, 0)
    return Version(base, _bitmap_of(base, end), 0, empty, 0, end)


def check(version: Version) -> None:
    """Make sure of a version that comes from a file: that changes could have led to it.

    Raises:
        ValueError: a row that was never given out or that is there twice, or a count that does not fit.
    """
    base, tail = version.base, version.tail
    rows = base.rows if base.rows.size else np.arange(len(base), dtype=np.uint32)
    alive = np.flatnonzero(np.unpackbits(version.alive, bitorder="little"))
    kept = tail.rows[tail.rows != NOWHERE]
    highest = max(
        int(numbers.max(initial=-1)) for numbers in (rows.astype(np.int64), alive, kept.astype(np.int64))
    )
    if highest >= version.end or int(rows.max(initial=0)) >= 8 * version.alive.size:
        raise ValueError(f"row {highest}, of which none was given out")
    if alive.size != len(base) - version.dead or kept.size != len(tail) - version.removed:
        raise ValueError(f"{alive.size + kept.size} codes, not {version.live}")
    here = np.zeros(8 * version.alive.size, np.bool_)
    here[rows] = True
    if np.count_nonzero(here) != rows.size or not here[alive].all():
        raise ValueError("a row twice, or alive where it is not")
    here[:] = False
    here[alive] = True
    if here[kept[kept < here.size]].any() or np.unique(kept).size != kept.size:
        raise ValueError("a row twice")


def _bitmap_of(base: Layout, end: int) -> Bitmap:
    alive = np.zeros(end + 1, dtype=np.bool_)
    alive[base.rows if base.rows.size else slice(len(base))] = True
    return np.packbits(alive, bitorder="little")


def merged(version: Version) -> Layout:
    """A base of all rows of `version` that are alive, arranged as its base is."""
    kept = flat.positions(version.tail.rows, NO_MASK, len(version.tail))
    words = version.tail.codes.reshape(-1, len(width_of(version.base.bits)))[kept].ravel()
    return merge(version.base, version.alive, words, version.tail.rows[kept])


def arranged(version: Version, centres: Words | None) -> Layout:
    """A base of all rows of `version` that are alive, as its codes suggest; `centres` is where to start from."""
    base, tail = version.base, version.tail
    width = len(width_of(base.bits))
    words = base.words().reshape(-1, width)
    rows = base.rows if base.rows.size else np.arange(len(base), dtype=np.uint32)
    if version.dead or len(tail):
        here, there = (
            flat.positions(base.rows, version.alive, len(base)),
            flat.positions(tail.rows, NO_MASK, len(tail)),
        )
        words = np.concatenate([words[here], tail.codes.reshape(-1, width)[there]])
        rows = np.concatenate([rows[here], tail.rows[there]])
    return make_layout(base.bits, *ordered(words, rows), centres)


def rebase(before: Version, now: Version, base: Layout) -> Version:
    """The version `now` on a base made of `before`; what has changed between the two is kept."""
    alive = _bitmap_of(base, before.end)
    tail_before, tail_now = before.tail.rows[: len(before.tail)], now.tail.rows[: len(before.tail)]
    gone = np.unpackbits(before.alive & ~now.alive, bitorder="little").nonzero()[0]
    gone = np.concatenate([gone, tail_before[tail_before != tail_now]])
    _clear(alive, gone)
    words = len(width_of(base.bits))
    first, last = len(before.tail), len(now.tail)
    rest = Flat(
        base.bits,
        now.tail.codes[first * words : last * words].copy(),
        now.tail.rows[first:last].copy(),
        last - first,
    )
    return Version(base, alive, len(gone), rest, int((rest.rows == NOWHERE).sum()), now.end, now.changes)


def _clear(bitmap: Bitmap, rows: npt.NDArray[Any]) -> None:
    np.bitwise_and.at(bitmap, rows >> 3, ~np.left_shift(np.uint8(1), (rows & 7).astype(np.uint8)))


def changed(version: Version, rows: Rows, words: Words) -> Version:
    """The version after one more change: codes uint64[n, W] at rows int64[n] that are not alive in it."""
    end = max(version.end, int(rows.max(initial=-1)) + 1)
    return replace(version, tail=append(version.tail, words, rows), end=end, changes=version.changes + 1)


def append(tail: Flat, words: Words, rows: Rows) -> Flat:
    """The tail with more codes. Writes beyond what any earlier version can see, or into longer arrays."""
    width = words.shape[1]
    count = len(tail) + len(words)
    codes, numbers = tail.codes, tail.rows
    if count > numbers.size:
        room = max(2 * count, 64)
        codes, numbers = np.empty(room * width, dtype=np.uint64), np.empty(room, dtype=np.uint32)
        codes[: len(tail) * width] = tail.words()
        numbers[: len(tail)] = tail.rows[: len(tail)]
    codes[len(tail) * width : count * width] = words.ravel()
    numbers[len(tail) : count] = rows
    return Flat(tail.bits, codes, numbers, count)


def without(version: Version, rows: Rows) -> Version:
    """The version without `rows`, wherever they are."""
    unique = distinct(rows)
    inside = unique[unique < 8 * version.alive.size]
    held = inside[(version.alive[inside >> 3] >> (inside & 7).astype(np.uint8)) & 1 != 0]
    if held.size:
        alive = version.alive.copy()
        _clear(alive, held)
        version = replace(version, alive=alive, dead=version.dead + held.size)
    tail = version.tail
    hit = flat.positions_of(tail.rows, len(tail), unique)
    if hit.size:
        numbers = tail.rows.copy()
        numbers[hit] = NOWHERE
        version = replace(version, tail=replace(tail, rows=numbers), removed=version.removed + hit.size)
    return version
