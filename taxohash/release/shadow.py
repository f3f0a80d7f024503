"""Two generations are asked the same pictures, and nobody is served: what one would change in place of the other.

Each encodes a picture by its own hasher and searches exactly in its own codes. Items are compared by their ids and labels by their names, so data
versions, trees and code lengths may differ.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from taxohash.codes import Queries
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.hamming import HammingIndex
from taxohash.hamming.moment import Moment
from taxohash.hamming.selection import Selection
from taxohash.images import Pixels, load_pixels
from taxohash.release.compare import Floats, Path, Rows, tau_b
from taxohash.release.query_sets import QuerySet, evenly
from taxohash.runtime.progress import track

Ranking = Literal["weighted", "hamming"]
MOST = 1000  # queries of a set
SHOWN, DEEP = 10, 100  # answers that people look at, and that are compared
BLOCK = 64  # queries in memory at once
UNITS = 2**24  # in which weights are counted


class Numbering(NamedTuple):
    """One number for each item of two generations: those of the first in their order, then those that only the second has.

    Answers at one distance are in the order of these numbers in both, so that no difference is told that is one of rows.

    Attributes:
        ids: of the items.
        before, after: int64[*], the numbers of each generation's items, in its order.
        common: int64[*], the numbers of items that both have, ascending.
    """

    ids: tuple[str, ...]
    before: Rows
    after: Rows
    common: Rows


def numbering(before: Sequence[str], after: Sequence[str]) -> Numbering:
    """Of the ids of two generations' items.

    Raises:
        TaxohashError: an id stands twice in one of them.
    """
    known = {item: number for number, item in enumerate(dict.fromkeys([*before, *after]))}
    old, new = (np.fromiter(map(known.__getitem__, ids), np.int64, len(ids)) for ids in (before, after))
    for own in (old, new):
        numbers, counts = np.unique(own, return_counts=True)
        if (twice := numbers[counts > 1]).size:
            raise TaxohashError(f"a generation has item {[*known][twice[0]]!r} twice: export it again")
    return Numbering(tuple(known), old, new, np.intersect1d(old, new))


@dataclass(frozen=True, eq=False)
class Answers:
    """What a generation answers to Q queries; -1 where there are fewer answers.

    Attributes:
        found: int64[Q, SHOWN], items, best first.
        distances: int32[Q, SHOWN], their Hamming distances.
        common: int64[Q, DEEP], the best of the items that both generations have.
        nearest: int32[Q, SHOWN], Hamming distances of the nearest items, ascending, whatever they are ranked by.
    """

    found: Rows
    distances: npt.NDArray[np.int32]
    common: Rows
    nearest: npt.NDArray[np.int32]


class Side:
    """A generation that answers.

    Attributes:
        hasher: of it.
        numbers: int64[N], of its items.
    """

    def __init__(self, hasher: Hasher, numbers: Rows, common: Rows, ranking: Ranking) -> None:
        """Arrange its codes.

        Args:
            numbers, common: see `Numbering`.
            ranking: by weights, as the service ranks what is asked with a picture, or by plain Hamming distance.

        Raises:
            TaxohashError: a damaged generation.
        """
        self.hasher, self.numbers, self._ranking = hasher, numbers, ranking
        index = HammingIndex.build(hasher.codes, hasher.bits, centres=hasher.centres, rows=numbers)
        self._moment: Moment = index.moment()
        self._common: Selection | None = index.select(common) if len(common) < len(numbers) else None
        self._threads = os.cpu_count() or 1

    @cached_property
    def _rows(self) -> Rows:
        """int64[*]: the row of each number; -1 of those that it does not have."""
        rows = np.full(int(self.numbers.max(initial=-1)) + 1, -1, np.int64)
        rows[self.numbers] = np.arange(len(self.numbers))
        return rows

    def paths(self, number: int) -> tuple[Path, ...]:
        """The label paths of an item that it has."""
        taxonomy = self.hasher.taxonomy
        return tuple(taxonomy.paths[label] for label in self.hasher.labels[self._rows[number]])

    def answers(self, queries: Queries, own: Rows) -> Answers:
        """Its answers.

        Args:
            own: int64[Q], the item that each query is itself, which is no answer; -1 for none.
        """
        nearest, rows = self._moment.search(queries.codes, SHOWN + 1, threads=self._threads)
        plain = _without(own, SHOWN, rows, nearest)
        if self._ranking == "weighted":
            _, distances, rows = self._moment.search_weighted(
                queries.codes, queries.weights, SHOWN + 1, threads=self._threads
            )
            found = _without(own, SHOWN, rows, distances)
        else:
            found = plain
        _, rows = self._moment.search(
            queries.codes, DEEP + 1, self._common, self._threads, self._weights(queries)
        )
        common = _without(own, DEEP, rows, rows)[0]
        return Answers(found[0], found[1].astype(np.int32), common, plain[1].astype(np.int32))

    def distances(self, queries: Queries, query: int, items: Rows) -> Rows:
        """int64[n]: how far some of its items are from one of the queries, as they are ranked: in whole numbers, so that equal codes
        are at one distance; by weights in multiples of the query's greatest / 2^24.
        """
        codes = self.hasher.codes[self._rows[items]] ^ queries.codes[query]
        differ = np.unpackbits(codes, axis=1, count=self.hasher.bits).astype(np.int64)
        weights = self._weights(queries)
        own = np.ones(self.hasher.bits) if weights is None else weights[query].astype(np.float64)
        unit = 1.0 if weights is None else float(own.max()) / UNITS
        found: Rows = differ @ np.rint(own / (unit or 1.0)).astype(np.int64)
        return found

    def _weights(self, queries: Queries) -> npt.NDArray[np.float32] | None:
        return queries.weights if self._ranking == "weighted" else None


def _without(own: Rows, most: int, rows: Rows, values: npt.NDArray[np.integer]) -> tuple[Rows, Rows]:
    """Rows and values int64[Q, most] of the first answers but for the query itself; -1 where there are fewer.

    Args:
        rows, values: of answers [Q, k], k <= most + 1.
    """
    kept = rows != own[:, None]
    order = np.argsort(~kept, axis=1, kind="stable")[:, :most]
    there = np.take_along_axis(kept, order, axis=1)
    result = np.full((2, len(rows), most), -1, np.int64)
    for part, source in zip(result, (rows, values), strict=True):
        part[:, : order.shape[1]] = np.where(there, np.take_along_axis(source, order, axis=1), -1)
    return result[0], result[1]


@dataclass(frozen=True, eq=False)
class Asked:
    """What two generations answer to a set of queries.

    Attributes:
        queries: the set.
        rows: int64[Q], those of its pictures that could be asked with.
        left_out: how many could not: they are gone, or are no pictures.
        before, after: the answers.
        correlation: float64[Q], tau-b of the distances of the items that are among the first DEEP of either; nan where there are none.
    """

    queries: QuerySet
    rows: Rows
    left_out: int
    before: Answers
    after: Answers
    correlation: Floats


@dataclass(frozen=True, eq=False)
class Shadow:
    """Two generations and what they were asked.

    Attributes:
        ranking: of the answers.
        items: their numbers.
        before, after: the generations.
        asked: what they answer to each set of queries.
        notes: what has to be known of it.
    """

    ranking: Ranking
    items: Numbering
    before: Side
    after: Side
    asked: tuple[Asked, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether it is one generation, asked twice."""
        return self.before.hasher.generation.id == self.after.hasher.generation.id


def shadow(
    before: Hasher,
    after: Hasher,
    sets: Sequence[QuerySet],
    ranking: Ranking = "weighted",
    most: int = MOST,
    notes: Sequence[str] = (),
) -> Shadow:
    """Ask two generations the same pictures: of each set at most so many, evenly spread.

    No more than BLOCK of them are in memory at once.

    Args:
        notes: of the caller, which are told too.

    Raises:
        TaxohashError: no set, none with a picture that can be read, or a damaged generation.
    """
    if not sets:
        raise TaxohashError(
            "there is nothing to ask with: give --data with --queries, --pictures, or a generation with canaries"
        )
    items = numbering(before.ids, after.ids)
    old, new = (
        Side(hasher, numbers, items.common, ranking)
        for hasher, numbers in ((before, items.before), (after, items.after))
    )
    asked, said = [], [*notes]
    for queries in sets:
        answered = _ask(old, new, queries, items, most)
        if answered is None:
            said.append(
                f"none of the {len(queries):,} pictures of {queries.name} can be read: they are left out"
            )
        else:
            asked.append(answered)
    if not asked:
        raise TaxohashError(f"{said[-1].split(':')[0]}: choose other queries")
    return Shadow(ranking, items, old, new, tuple(asked), tuple(said))


def _ask(before: Side, after: Side, queries: QuerySet, items: Numbering, most: int) -> Asked | None:
    """None where no picture of the set can be read."""
    wanted = evenly(len(queries), most)
    known = {item: number for number, item in enumerate(items.ids)} if queries.are_items else {}
    rows: list[int] = []
    parts: list[tuple[Answers, Answers, Floats]] = []
    readers = [_pixels_of(side.hasher) for side in (before, after)]
    pairs = track(_decoded(queries, wanted, readers), len(wanted), f"asking {queries.name}")
    while block := list(islice(pairs, BLOCK)):
        readable = [(row, pixels) for row, pixels in block if pixels is not None]
        if not readable:
            continue
        block_rows = [row for row, _ in readable]
        own = np.array([known.get(queries.names[row], -1) for row in block_rows], np.int64)
        encoded = [
            side.hasher.encode_query_pixels(np.stack([pixels[number] for _, pixels in readable]))
            for number, side in enumerate((before, after))
        ]
        old, new = before.answers(encoded[0], own), after.answers(encoded[1], own)
        parts.append((old, new, _correlations(before, after, encoded, old, new)))
        rows += block_rows
    if not parts:
        return None
    olds, news, correlations = zip(*parts, strict=True)
    left_out = len(wanted) - len(rows)
    return Asked(
        queries,
        np.array(rows, np.int64),
        left_out,
        _joined(olds),
        _joined(news),
        np.concatenate(correlations),
    )


def _correlations(
    before: Side, after: Side, encoded: Sequence[Queries], old: Answers, new: Answers
) -> Floats:
    found = np.full(len(old.common), np.nan)
    for query in range(len(found)):
        union = np.union1d(old.common[query], new.common[query])
        union = union[union >= 0]
        if len(union):
            found[query] = tau_b(
                before.distances(encoded[0], query, union), after.distances(encoded[1], query, union)
            )
    return found


def _joined(parts: Sequence[Answers]) -> Answers:
    return Answers(
        np.concatenate([part.found for part in parts]),
        np.concatenate([part.distances for part in parts]),
        np.concatenate([part.common for part in parts]),
        np.concatenate([part.nearest for part in parts]),
    )


Reader = Callable[[bytes], Pixels]


def _pixels_of(hasher: Hasher) -> Reader:
    preprocessing = hasher.generation.preprocessing
    return lambda data: load_pixels(data, preprocessing)


def _decoded(
    queries: QuerySet, rows: Rows, readers: Sequence[Reader]
) -> Iterator[tuple[int, list[Pixels] | None]]:
    """The rows with what each network takes of the picture; None for one that is gone, or that one of them cannot read."""
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        for row, data in zip(some.tolist(), queries.pictures(some), strict=True):
            try:
                yield row, None if data is None else [read(data) for read in readers]
            except TaxohashError:
                yield row, None
