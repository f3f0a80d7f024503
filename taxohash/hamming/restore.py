"""Layouts as they lie in a file: which arrays are kept, and how one is made of them again.

What is read is compared: the kernels check no index, and skip what lies too far by the rings and counts that they are told.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.hamming.arrange import find_bodies, rings_of
from taxohash.hamming.centres import MOST_CENTRES, Centres
from taxohash.hamming.kernels import blocks, cells
from taxohash.hamming.kernels.intrinsics import BAND, CODES, LINE
from taxohash.hamming.layouts import Arrays, Flat, Layout, Rings, RowNumbers, Sliced
from taxohash.hamming.words import Words, to_words, width_of

_DERIVED = ("extents", "firsts", "bodies", "neighbours", "margins")  # told from the others
_CHECKED = 16 * BAND * CODES  # sliced codes that are looked at together


def kept(layout: Layout) -> Arrays:
    """The arrays that `restore` needs: all but those that can be told from others."""
    return {name: array for name, array in layout.arrays().items() if name not in _DERIVED}


def restore(bits: int, layout: str, count: int, arrays: Arrays) -> Layout:
    """The layout of that name and length whose arrays were `kept`.

    Raises:
        ValueError: the arrays are not those of a layout of `count` codes.
        KeyError: one is absent.
    """
    if layout == "flat":
        made = restore_flat(bits, count, arrays)
        _check_ascending(made.rows)
        return made
    return _sliced(bits, count, arrays) if layout == "sliced" else _rings(bits, count, arrays)


def restore_flat(bits: int, count: int, arrays: Arrays) -> Flat:
    """As `restore`, of codes as words in any order of rows."""
    codes = column(arrays, "codes", np.uint64, count * len(width_of(bits)))
    _check_padding(bits, codes, "codes")
    return Flat(bits, codes, _row_numbers(arrays, count), count)


def column(arrays: Arrays, name: str, kind: type[np.generic], size: int | None = None) -> npt.NDArray[Any]:
    """The one-dimensional array of that name.

    Raises:
        ValueError: it has another type or size.
        KeyError: it is absent.
    """
    array = arrays[name]
    if array.dtype != kind or array.ndim != 1 or size not in (None, array.size):
        raise ValueError(f"{name} are {array.dtype}{list(array.shape)}")
    return array


def _sliced(bits: int, count: int, arrays: Arrays) -> Sliced:
    width, rows = width_of(bits), _row_numbers(arrays, count)
    _check_ascending(rows)
    sliced = column(arrays, "blocks", np.uint64, blocks.blocks_size(width, bits, count))
    size = blocks.blocks_size(width, bits, _CHECKED)
    for part, first in enumerate(range(0, count, _CHECKED)):
        found = sliced[part * size : (part + 1) * size]
        words = blocks.unslice_all(width, bits, found, min(count - first, _CHECKED))
        _check_padding(bits, words, "blocks")
        again = np.empty_like(found)
        blocks.slice_all(width, bits, words, again)
        if not np.array_equal(again, found):
            raise ValueError("blocks that do not count the bits of their codes")
    return Sliced(bits, sliced, rows, count)


def _rings(bits: int, count: int, arrays: Arrays) -> Rings:
    words, rows = len(width_of(bits)), _row_numbers(arrays, count)
    codes = column(arrays, "codes", np.uint64, count * words + LINE)
    centres = _centres(arrays, bits)
    offsets = arrays["offsets"]
    shape = (centres.words.size // words, bits + 2)
    if offsets.dtype != np.uint32 or offsets.shape != shape or not _ascends(offsets, count):
        raise ValueError("offsets that do not ascend from the first code to the last")
    if rows.size != count:
        raise ValueError(f"{rows.size} rows for {count} codes")
    plain = cells.unslice_bodies(width_of(bits), codes, centres.words, find_bodies(offsets))
    made = rings_of(bits, codes, rows, centres, offsets, plain)
    for cell, (first, last) in enumerate(offsets[:, [0, -1]].tolist()):
        _check_cell(made, plain[first * words : last * words], cell, first, last)
    return made


def _check_cell(rings: Rings, codes: Words, cell: int, first: int, last: int) -> None:
    """Every code of a cell is as far from its centre as the ring says in which it lies, and rows ascend in a ring."""
    width = width_of(rings.bits)
    centre = rings.centres.words[cell * len(width) : (cell + 1) * len(width)]
    _check_padding(rings.bits, codes, "codes")
    radii = np.bitwise_count(codes.reshape(-1, len(width)) ^ centre).sum(axis=1, dtype=np.int64)
    told = np.repeat(np.arange(rings.bits + 1), np.diff(rings.offsets[cell].astype(np.int64)))
    keys = radii << 32 | rings.rows[first:last]
    if not np.array_equal(radii, told) or (keys[1:] <= keys[:-1]).any():
        raise ValueError(f"codes in other rings than their own around centre {cell}")


def _centres(arrays: Arrays, bits: int) -> Centres:
    words = len(width_of(bits))
    ends = column(arrays, "ends", np.int64)
    heads = column(arrays, "heads", np.uint64, ends.size * words)
    centres = column(arrays, "centres", np.uint64)
    if not 0 < centres.size <= MOST_CENTRES * words or not ends.size or ends[-1] * words != centres.size:
        raise ValueError(f"{centres.size} words of centres in groups that end at {ends.tolist()}")
    if ends[0] < 0 or (ends[1:] < ends[:-1]).any():
        raise ValueError("groups of centres that do not ascend")
    _check_padding(bits, centres, "centres")
    return Centres(centres, heads, ends)


def _row_numbers(arrays: Arrays, count: int) -> RowNumbers:
    rows = column(arrays, "rows", np.uint32)
    if rows.size not in (0, count):
        raise ValueError(f"{rows.size} rows for {count} codes")
    return rows


def _check_ascending(rows: RowNumbers) -> None:
    if (rows[1:] <= rows[:-1]).any():
        raise ValueError("rows that do not ascend")


def _check_padding(bits: int, words: Words, what: str) -> None:
    """No bit beyond `bits` is set: it would count in every distance."""
    beyond = _beyond(bits)
    if (np.bitwise_or.reduce(words.reshape(-1, beyond.size), axis=0, initial=0) & beyond).any():
        raise ValueError(f"{what} with bits beyond the first {bits}")


@cache
def _beyond(bits: int) -> Words:
    """The bits of a code's words that are not its own: uint64[W]."""
    own = to_words(np.packbits(np.ones((1, bits), np.uint8), axis=1), bits)
    beyond: Words = np.invert(own[0])
    return beyond


def _ascends(offsets: npt.NDArray[np.uint32], last: int) -> bool:
    """Whether rings lie one after the other, and cells too, from position 0 to `last`: none is left out."""
    joined = offsets[0, 0] == 0 and offsets[-1, -1] == last and (offsets[1:, 0] == offsets[:-1, -1]).all()
    return bool(joined and (offsets[:, 1:] >= offsets[:, :-1]).all())
