"""What a shadow comparison comes to: numbers of each set of queries, and one sentence that says what would change."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from taxohash.release.compare import (
    Floats,
    Mean,
    Path,
    Spread,
    agreement,
    mean,
    overlap,
    paired,
    precision,
    spread,
)
from taxohash.release.judging import Compared
from taxohash.release.shadow import DEEP, SHOWN, Answers, Asked, Shadow, Side
from taxohash.runtime.configuration import plain
from taxohash.taxonomy.agreement import majority_path

OVERLAPS = (1, SHOWN, DEEP)
PICKED = 6  # queries that are shown of each set
_NAMED = 5  # classes that a note names


@dataclass(frozen=True)
class Agreement:
    """The shares of queries whose answers are of the same node in both, at one level.

    Attributes:
        first: of the first answers.
        majority: of what most of the first SHOWN answers are.
    """

    level: str
    first: Mean | None
    majority: Mean | None


@dataclass(frozen=True)
class Distances:
    """How many queries have their nearest item, and their SHOWNth, at each Hamming distance, 0 to `bits`."""

    bits: int
    nearest: list[int]
    tenth: list[int]


@dataclass(frozen=True)
class Picked:
    """A query to which the answers differ most.

    Attributes:
        row: of the set.
        name: of its picture.
        place: among those that were asked.
        kept: share of the answers that both give.
        before, after: ids of the answers.
    """

    row: int
    name: str
    place: int
    kept: float
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """What a set of queries shows.

    Attributes:
        pictures, asked, left_out: how many there are, were asked with, and could not be read.
        overlap: by k, the mean share of the first k answers that both give, among the items of both.
        kept: of the first SHOWN answers as they are served, new and gone items included, the mean share that both give.
        correlation: tau-b of the order, see `Asked`.
        agreement: of each level, the coarsest first.
        precision: the share of the first SHOWN answers that are of the query's own node, by level; none where no labels are known.
        before, after: distances.
        picked: where the answers differ most.
        unknown_before, unknown_after: queries whose every class that generation's tree lacks.
    """

    name: str
    pictures: int
    asked: int
    left_out: int
    overlap: dict[str, Mean | None]
    kept: Mean | None
    correlation: Spread | None
    agreement: tuple[Agreement, ...]
    precision: tuple[Compared, ...]
    before: Distances
    after: Distances
    picked: tuple[Picked, ...]
    unknown_before: int
    unknown_after: int


@dataclass(frozen=True)
class Generation:
    """What is told of a generation.

    Attributes:
        items: that can be found.
        alone: those that the other one has not.
        classes: of its tree.
        new: those that the other one's tree has not.
    """

    id: str
    bits: int
    objective: str
    dataset_md5: str
    items: int
    alone: int
    classes: int
    new: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """All of it.

    Attributes:
        said: what would change, in one sentence.
        is_same: whether both are one generation.
        ranking: `weighted` or `hamming`.
        common: items that both have.
        levels: names, the coarsest first.
    """

    said: str
    is_same: bool
    ranking: str
    before: Generation
    after: Generation
    common: int
    levels: tuple[str, ...]
    sets: tuple[Measured, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        data = asdict(self)
        for told, own in zip(data["sets"], self.sets, strict=True):
            told["precision"] = [plain(part) for part in own.precision]
        return data


def comparison(found: Shadow) -> Comparison:
    """Measure a shadow comparison."""
    levels = _levels(found)
    sets = tuple(_measured(found, asked, levels) for asked in found.asked)
    before, after = _told(found.before, found.after, found), _told(found.after, found.before, found)
    common = len(found.items.common)
    notes = (*found.notes, *_notes(before, after, common, sets))
    said = sentence(sets, levels, found.is_same)
    return Comparison(said, found.is_same, found.ranking, before, after, common, levels, sets, notes)


def _levels(found: Shadow) -> tuple[str, ...]:
    """The levels of the deeper tree; of trees of one depth, those of the later one."""
    return max(
        (side.hasher.taxonomy.levels for side in (found.after, found.before)),
        key=len,
    )


def _told(side: Side, other: Side, found: Shadow) -> Generation:
    generation, tree = side.hasher.generation, side.hasher.taxonomy
    known = set(other.hasher.taxonomy.paths)
    return Generation(
        id=generation.id,
        bits=generation.bits,
        objective=str(generation.objective.get("name", "")),
        dataset_md5=generation.dataset_md5,
        items=len(side.numbers),
        alone=len(side.numbers) - len(found.items.common),
        classes=len(tree),
        new=tuple("/".join(path) for path in tree.paths if path not in known),
    )


def _measured(found: Shadow, asked: Asked, levels: Sequence[str]) -> Measured:
    depth, count = len(levels), len(asked.rows)
    known = asked.queries.labels
    labels = [known[row] for row in asked.rows.tolist()] if known is not None else [()] * count
    first, majority = np.empty((2, count, depth))
    old, new = np.empty((2, count, depth))
    for query in range(count):
        was, now = (_paths(side, own, query) for side, own in _sides(found, asked))
        first[query] = agreement(was[0] if was else (), now[0] if now else (), depth)
        majority[query] = agreement(_majority(was), _majority(now), depth)
        old[query], new[query] = (precision(labels[query], paths, depth) for paths in (was, now))
    shares = {k: overlap(asked.before.common, asked.after.common, k) for k in OVERLAPS}
    kept = overlap(asked.before.found, asked.after.found, SHOWN)
    return Measured(
        name=asked.queries.name,
        pictures=len(asked.queries),
        asked=count,
        left_out=asked.left_out,
        overlap={str(k): mean(own) for k, own in shares.items()},
        kept=mean(kept),
        correlation=spread(asked.correlation),
        agreement=tuple(
            Agreement(level, mean(first[:, number]), mean(majority[:, number]))
            for number, level in enumerate(levels)
        ),
        precision=paired(old, new, levels),
        before=_distances(asked.before, found.before),
        after=_distances(asked.after, found.after),
        picked=tuple(_picked(found, asked, kept)),
        unknown_before=_unknown(labels, found.before),
        unknown_after=_unknown(labels, found.after),
    )


def _sides(found: Shadow, asked: Asked) -> tuple[tuple[Side, Answers], ...]:
    return (found.before, asked.before), (found.after, asked.after)


def _paths(side: Side, answers: Answers, query: int) -> list[tuple[Path, ...]]:
    """The label paths of each of the answers to a query."""
    return [side.paths(item) for item in answers.found[query].tolist() if item >= 0]


def _majority(answers: Sequence[Sequence[Path]]) -> tuple[Path, ...]:
    path = tuple(name for name, _ in majority_path(answers))
    return (path,) if path else ()


def _distances(answers: Answers, side: Side) -> Distances:
    bits = side.hasher.bits
    nearest, tenth = (
        np.bincount(own[own >= 0], minlength=bits + 1).tolist()
        for own in (answers.nearest[:, 0], answers.nearest[:, SHOWN - 1])
    )
    return Distances(bits, nearest, tenth)


def _picked(found: Shadow, asked: Asked, kept: Floats) -> Iterator[Picked]:
    """The queries that keep the fewest answers, of these those whose order agrees least; none that keeps all."""
    order = np.lexsort((asked.correlation, kept))
    differ = (place for place in order.tolist() if kept[place] < 1)
    for place, _ in zip(differ, range(PICKED), strict=False):
        row = int(asked.rows[place])
        ids = [
            tuple(found.items.ids[item] for item in own.found[place].tolist() if item >= 0)
            for own in (asked.before, asked.after)
        ]
        yield Picked(row, asked.queries.names[row], place, float(kept[place]), *ids)


def _unknown(labels: Sequence[Collection[Path]], side: Side) -> int:
    tree = set(side.hasher.taxonomy.paths)
    return sum(bool(own) and tree.isdisjoint(own) for own in labels)


# -- in words ------------------------------------------------------------------------------------------


def sentence(sets: Sequence[Measured], levels: Sequence[str], is_same: bool) -> str:
    """What the later generation would change for those who ask as the first set of queries does."""
    if is_same:
        return "This is the same generation: nothing would change."
    own = sets[0]
    parts = [_of_kept(own)]
    if told := _of_majority(own):
        parts.append(told)
    if own.precision:
        parts.append(_of_precision(own.precision[-1], levels[-1]))
    return "; ".join(parts) + "."


def _of_kept(own: Measured) -> str:
    if own.kept is None:
        return f"No query of {own.name} has an answer"
    if own.kept.value == 1:
        return f"The first {SHOWN} answers to a query of {own.name} would be the same items"
    if own.kept.value == 0:
        return f"All of the first {SHOWN} answers to a query of {own.name} would be other items"
    other = SHOWN * (1 - own.kept.value)
    return f"Of the first {SHOWN} answers to a query of {own.name}, {_count(other)} would be other items"


def _count(value: float) -> str:
    return f"{value:.1f}" if value >= 0.1 else "under 0.1"


def _of_majority(own: Measured) -> str:
    known = [(part.level, part.majority.value) for part in own.agreement if part.majority is not None]
    if not known:
        return ""
    if all(share == 1 for _, share in known):
        return "most of them would be of the same classes for every query"
    told = [
        f"of another {level} for {percent(1 - share)}{' of the queries' if not place else ''}"
        for place, (level, share) in enumerate(dict.fromkeys((known[-1], known[0])))
    ]
    return f"most of them would be {' and '.join(told)}"


def _of_precision(fine: Compared, level: str) -> str:
    own = f"{percent(fine.value)} of them would be of the query's own {level}"
    if fine.low == fine.high == 0:
        return f"{own}, as before"
    interval = f"{points(fine.low)} to {points(fine.high)} points"
    if fine.low > 0 or fine.high < 0:
        interval += f", {'better' if fine.low > 0 else 'worse'}"
    return f"{own} instead of {percent(fine.bound)} ({interval})"


def percent(share: float) -> str:
    """Such as 12 %; what is neither none nor all is not rounded to it."""
    value = 100 * share
    if 0 < value < 1 or 99 < value < 100:
        return f"{value:.1f} %" if 0.05 <= value < 99.95 else ("under 0.1 %" if value < 1 else "over 99.9 %")
    return f"{value:.0f} %"


def points(difference: float) -> str:
    """A difference of shares, such as +3.1."""
    return f"{100 * difference:+.1f}"


def _notes(before: Generation, after: Generation, common: int, sets: Sequence[Measured]) -> Iterator[str]:
    if not common:
        yield "No item is in both generations: answers cannot be compared one by one, only by their labels and distances."
    elif common < DEEP:
        yield f"Only {common:,} items are in both generations: where there are fewer than k, overlap at k is of those."
    if before.bits != after.bits:
        yield f"Codes have {before.bits} bits before and {after.bits} after: distances are told as shares of the bits."
    for one, what in ((after, "new"), (before, "gone")):
        if one.new:
            more = f" and {len(one.new) - _NAMED:,} more" if len(one.new) > _NAMED else ""
            yield f"{len(one.new):,} classes are {what}: {', '.join(one.new[:_NAMED])}{more}."
    for own in sets:
        if own.asked + own.left_out < own.pictures:
            yield f"Of {own.name} {own.asked:,} of {own.pictures:,} pictures were asked with, evenly spread."
        if own.left_out:
            yield f"{own.left_out:,} pictures of {own.name} could not be read, and are left out."
        for count, which in ((own.unknown_before, "before"), (own.unknown_after, "after")):
            if count:
                yield f"{count:,} queries of {own.name} are of classes that the tree {which} does not have."
