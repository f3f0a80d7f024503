"""Centres of codes: k-majority on a sample, and whether skipping around them would pay.

k-majority is k-means for the Hamming distance: a centre is the bitwise majority of its codes (Grana et al., 2013).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from taxohash.hamming.kernels.bitslice import scan_sliced
from taxohash.hamming.kernels.conventions import EMPTY, SHIFT
from taxohash.hamming.kernels.grouping import assign, majority
from taxohash.hamming.kernels.rings import centre_distances
from taxohash.hamming.words import Words, width_of

FEWEST_CODES = 20_000  # below that a flat scan takes microseconds
MOST_CENTRES = 1024
CODES_PER_CENTRE = 400
SAMPLE_PER_CENTRE = 64
ROUNDS = 6
TRIALS = 32  # codes whose true 10th distance the decision is taken on
NEIGHBOURS = 10
WORTH = 0.25  # share of codes looked at below which skipping beats the bit-sliced scan

NO_ROWS = np.empty(0, dtype=np.uint32)
NO_MASK = np.empty(0, dtype=np.uint8)
NO_WORDS = np.empty(0, dtype=np.uint64)


@dataclass(frozen=True)
class Centres:
    """Centres in groups, so that a code is compared with the centres of a few groups only to find its nearest.

    Attributes:
        words: uint64[C * W], sorted by group.
        heads: uint64[G * W], the centre of each group.
        ends: int64[G], one past the last centre of each group.
    """

    words: Words
    heads: Words
    ends: npt.NDArray[np.int64]

    def assign(
        self, words: Words, width: tuple[bool, ...]
    ) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
        """The nearest centre of each code of words uint64[N * W], of like ones the first, and its distance: uint16[N], uint16[N].

        One that is only near would do for searching, but a few codes that lie far from their centre make many cells wide.
        """
        count = words.size // len(width)
        cells, radii = np.empty(count, dtype=np.uint16), np.empty(count, dtype=np.uint16)
        assign(width, words, self.words, self.heads, self.ends, self._reach, cells, radii)
        return cells, radii

    @cached_property
    def _reach(self) -> npt.NDArray[np.int64]:
        """The distance from each head to the farthest centre of its group, -1 where it has none: int64[G]."""
        words = self.words.size // int(self.ends[-1])
        sizes = np.diff(self.ends, prepend=0)
        heads = np.repeat(self.heads.reshape(-1, words), sizes, axis=0)
        away = np.bitwise_count(self.words.reshape(-1, words) ^ heads).sum(axis=1, dtype=np.int64)
        reach = np.full(self.ends.size, -1, dtype=np.int64)
        np.maximum.at(reach, np.repeat(np.arange(self.ends.size), sizes), away)
        return reach


def _everything(words: Words, width: tuple[bool, ...]) -> Centres:
    """All centres in one group: every code is compared with every centre."""
    return Centres(words, words[: len(width)], np.array([words.size // len(width)], dtype=np.int64))


def _k_majority(sample: Words, seeds: Words, width: tuple[bool, ...], rng: np.random.Generator) -> Words:
    """`ROUNDS` rounds of k-majority from `seeds`; a centre without codes moves to a code of the sample."""
    centres, many = seeds.copy(), sample.size // len(width)
    for _ in range(ROUNDS):
        cells, _radii = _everything(centres, width).assign(sample, width)
        empty = np.flatnonzero(majority(width, sample, cells, centres))
        centres.reshape(-1, len(width))[empty] = sample.reshape(-1, len(width))[
            rng.integers(0, many, empty.size)
        ]
    return centres


def _group(words: Words, width: tuple[bool, ...], rng: np.random.Generator) -> Centres:
    count = words.size // len(width)
    if count < 64:
        return _everything(words, width)
    groups = int(np.sqrt(count))
    table = words.reshape(count, len(width))
    heads = _k_majority(words, table[rng.choice(count, groups, replace=False)].ravel(), width, rng)
    cells, _radii = _everything(heads, width).assign(words, width)
    order = np.argsort(cells, kind="stable")
    ends = np.cumsum(np.bincount(cells, minlength=groups)).astype(np.int64)
    return Centres(np.ascontiguousarray(table[order]).ravel(), heads, ends)


def find_centres(words: Words, bits: int, given: Words | None) -> Centres | None:
    """Centres for codes words uint64[N * W], or None where a flat scan would be faster.

    `given` uint64[n, W], such as a hasher's class codes, are where the search for centres starts.
    The decision: for a few of the codes themselves the true distance of the 10th neighbour is found; the share of
    the sample in the rings within that distance is the share of codes a search would look at.
    """
    width = width_of(bits)
    count = words.size // len(width)
    if count < FEWEST_CODES:
        return None
    rng = np.random.default_rng(0)
    table = words.reshape(count, len(width))
    wanted = min(MOST_CENTRES, count // CODES_PER_CENTRE)
    sample = table[np.sort(rng.integers(0, count, SAMPLE_PER_CENTRE * wanted))]
    seeds = sample[rng.choice(len(sample), wanted, replace=False)]
    if given is not None:
        seeds = np.concatenate([given, seeds])[: max(wanted, len(given))][:MOST_CENTRES]
    flat_sample = np.ascontiguousarray(sample).ravel()
    centres = _group(_k_majority(flat_sample, np.ascontiguousarray(seeds).ravel(), width, rng), width, rng)
    return centres if _share(words, flat_sample, centres, bits) < WORTH else None


def _share(words: Words, sample: Words, centres: Centres, bits: int) -> float:
    """The share of codes in the rings that a top-10 search for one of the codes has to look at."""
    width = width_of(bits)
    count = words.size // len(width)
    queries = words.reshape(count, len(width))[np.linspace(0, count - 1, TRIALS).astype(np.int64)]
    best = np.full((TRIALS, NEIGHBOURS + 1), EMPTY)  # one more: each finds itself
    scan_sliced(width, bits, NO_WORDS, words, NO_ROWS, NO_MASK, 0, count, queries, best, True)
    limits = (best[:, 0] >> SHIFT).astype(np.int64)
    cells, radii = centres.assign(sample, width)
    many = centres.words.size // len(width)
    held = np.zeros((many, bits + 2), dtype=np.int64)
    np.add.at(held, (cells, radii + 1), 1)
    held = held.cumsum(axis=1)
    looked_at, near = 0, np.empty(many, dtype=np.int32)
    for query, limit in zip(queries, limits, strict=True):
        centre_distances(width, centres.words, query, near)
        low, high = np.clip(near - limit, 0, bits + 1), np.clip(near + limit + 1, 0, bits + 1)
        each = np.arange(many)
        looked_at += int((held[each, high] - held[each, low]).sum())
    return looked_at / (TRIALS * cells.size)
