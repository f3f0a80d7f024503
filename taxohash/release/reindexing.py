"""The judge of reindexing: may the same hasher's codes of a new data version take the place of the old ones?

The hasher is the one that is served, so its quality is not in question: its codes of the new version must be as healthy as before, and the
canaries, pictures that nobody can find, must find their classes as well as before. How much of the catalogue goes, comes or
changes its label is told, and much of it awaits a person: an export that was cut short looks like this.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes, check
from taxohash.release.bootstrap import interval
from taxohash.release.changes import changes, labelled
from taxohash.release.judging import Compared, Judgement, Judging, Verdict
from taxohash.runtime.configuration import NonNegative, Share, configuration

NEAREST = 10  # items among which a canary looks for its class
GONE, COME, RELABELLED = "items gone", "items come", "items relabelled"
_CHANGES = {GONE: "of the items go", COME: "are new", RELABELLED: "change their label"}
Path = tuple[str, ...]
Floats = npt.NDArray[np.float64]


@configuration
class Policy(Judging):
    """What a reindexed generation must be, to be published; see `Judging` for how the canaries' recall is compared.

    Attributes:
        gone_most: share of the items of before that may be gone; beyond it, a person decides.
        come_most: share of the items of now that may be new; likewise.
        relabelled_most: share of the items of both that may have another label; likewise.
        entropy_most: by which the mean entropy of a bit, in bits, may be lower than before.
    """

    tolerance_least: NonNegative = 0.01
    tolerance_most: NonNegative = 0.1
    gone_most: Share = 0.2
    come_most: Share = 0.5
    relabelled_most: Share = 0.2
    entropy_most: Share = 0.1


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What can be found in a generation.

    Attributes:
        ids: of N items.
        labels: of each item, as indices into `paths`.
        paths: of the labels, from coarse to fine.
        codes: uint8[N, ceil(bits/8)].
        health: of its bits, as a manifest has it; its "entropy" is read.
    """

    ids: Sequence[str]
    labels: Sequence[Sequence[int]]
    paths: Sequence[Sequence[str]]
    codes: Codes
    health: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Canaries:
    """Pictures that are in no catalogue.

    Attributes:
        codes: uint8[Q, ceil(bits/8)].
        paths: of each, those of its labels.
        levels: names of the levels; those beyond them go by number.
    """

    codes: Codes
    paths: Sequence[frozenset[Path]]
    levels: Sequence[str] = ()


def judge(
    before: Catalogue, after: Catalogue, canaries: Canaries | None, bits: int, policy: Policy | None = None
) -> Judgement:
    """Judge the codes of a new data version by those of the one that is served, made by the same hasher.

    Refused is what has no item, lower entropy than the policy allows, or canaries that find their class less often on any level; what
    changes more of the catalogue than the policy allows awaits approval.

    Args:
        canaries: None, or none of them, where there are none: then they say nothing.

    Raises:
        TaxohashError: codes of another length, or not one of each item.
    """
    policy = policy or Policy()
    for what, catalogue in (("old", before), ("new", after)):
        check(catalogue.codes, bits, f"codes of the {what} generation", rows=len(catalogue.ids))
    if not after.ids:
        return _judgement("refused", "the new data version has no item that can be found")
    if not all(math.isfinite(catalogue.health.get("entropy", 0.0)) for catalogue in (before, after)):
        return _judgement("refused", "the entropy of the bits is not a number")
    shares = _shares(before, after, policy)
    health = _health(before.health, after.health)
    recalls = _recalls(before, after, canaries, bits, policy) if canaries and canaries.paths else ()
    compared = (*health, *recalls, *shares)
    if dull := [part for part in health if part.difference < -policy.entropy_most]:
        return _judgement("refused", f"codes use their bits less than before: {_told(dull)}", compared)
    if worse := [part for part in recalls if not policy.tolerated(part.difference, part.high)]:
        told = f"canaries find their classes less often at {100 * policy.confidence:g} % confidence: {_told(worse)}"
        return _judgement("refused", told, compared)
    if much := [part for part in shares if part.difference > 0]:
        return _judgement(
            "awaits", f"much of the catalogue changes: {_in_words(much, bounds=True)}", compared
        )
    healthy = "bits and canaries are as before" if recalls else "bits are as before, canaries there are none"
    told = f"{healthy}; {_in_words(shares)}"
    return _judgement("awaits" if policy.approve == "always" else "passes", told, compared)


def _judgement(verdict: Verdict, reason: str, compared: Sequence[Compared] = ()) -> Judgement:
    return Judgement(verdict=verdict, reason=reason, against="champion", compared=tuple(compared))


def recall(catalogue: Catalogue, canaries: Canaries, bits: int, levels: int) -> Floats:
    """float64[Q, levels]: the chance of each canary to have its class on each level among its NEAREST items.

    Items at one distance are in no order, so a canary whose class is among those that only some fit in has the chance of
    drawing one of them (hypergeometric). A label ends where its path does: below, it is its own class.

    Args:
        levels: from the coarsest.
    """
    found = np.zeros((len(canaries.paths), levels))
    if not catalogue.ids:
        return found
    words = _words(catalogue.codes)
    flat, owners = _flat(catalogue.labels)
    for paths, members in _grouped(canaries.paths):
        relevant = np.zeros((levels, len(catalogue.ids)), np.bool_)
        for level in range(levels):
            wanted = {path[: level + 1] for path in paths}
            of_label = np.array([tuple(path)[: level + 1] in wanted for path in catalogue.paths], np.bool_)
            relevant[level, owners[of_label[flat]]] = True
        for member in members:
            distances = np.bitwise_count(words ^ _words(canaries.codes[member : member + 1])).sum(axis=1)
            totals = np.bincount(distances, minlength=bits + 1)
            hits = np.stack([np.bincount(distances[own], minlength=bits + 1) for own in relevant])
            found[member] = _chances(totals, hits)
    return found


def _chances(totals: npt.NDArray[np.int64], hits: npt.NDArray[np.int64]) -> Floats:
    """float64[L]: of int64[B] items and int64[L, B] relevant ones at each distance, the chance that one is among the nearest."""
    most = min(NEAREST, int(totals.sum()))
    ends = totals.cumsum()
    last = int(np.searchsorted(ends, most))  # the block of which some fit in
    room, size = most - int(ends[last] - totals[last]), int(totals[last])
    sure = hits[:, :last].sum(axis=1) > 0
    drawn = np.arange(room)
    missed = np.clip(size - hits[:, last, None] - drawn, 0, None) / (size - drawn)
    chances: Floats = np.where(sure, 1.0, 1.0 - missed.prod(axis=1))
    return chances


def _recalls(
    before: Catalogue, after: Catalogue, canaries: Canaries, bits: int, policy: Policy
) -> tuple[Compared, ...]:
    levels = max((len(path) for paths in canaries.paths for path in paths), default=0)
    if not levels:
        return ()
    check(canaries.codes, bits, "codes of the canaries", rows=len(canaries.paths))
    new, old = recall(after, canaries, bits, levels), recall(before, canaries, bits, levels)
    low, high = interval(new - old, policy.confidence, policy.resamples, policy.seed)
    names = [
        *canaries.levels[:levels],
        *(f"level {level + 1}" for level in range(len(canaries.levels), levels)),
    ]
    return tuple(
        Compared(
            metric=f"canary recall@{NEAREST} ({name})",
            value=float(new[:, level].mean()),
            bound=float(old[:, level].mean()),
            difference=float((new - old)[:, level].mean()),
            low=float(low[level]),
            high=float(high[level]),
        )
        for level, name in enumerate(names)
    )


def _shares(before: Catalogue, after: Catalogue, policy: Policy) -> tuple[Compared, ...]:
    found = changes(*(labelled(each.ids, each.labels, each.paths) for each in (before, after)))
    come = _share(found.added, found.added + found.kept) if before.ids else 0.0
    return (
        _exact(GONE, _share(found.removed, found.removed + found.kept), policy.gone_most),
        _exact(COME, come, policy.come_most),
        _exact(RELABELLED, _share(found.relabelled, found.kept), policy.relabelled_most),
    )


def _health(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Compared, ...]:
    """The entropy of the bits, where both are known."""
    if "entropy" not in before or "entropy" not in after:
        return ()
    return (_exact("bit entropy", float(after["entropy"]), float(before["entropy"])),)


def _exact(metric: str, value: float, bound: float) -> Compared:
    """What is counted, not estimated."""
    difference = value - bound
    return Compared(
        metric=metric, value=value, bound=bound, difference=difference, low=difference, high=difference
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _told(compared: Sequence[Compared]) -> str:
    return "; ".join(f"{part.metric} {part.value:.4f} against {part.bound:.4f}" for part in compared)


def _in_words(shares: Sequence[Compared], bounds: bool = False) -> str:
    """Such as "3.0 % of the items go, 1.2 % come"."""
    return ", ".join(
        f"{100 * part.value:.1f} % {_CHANGES[part.metric]}"
        + (f" (without a person's approval {100 * part.bound:g} % may)" if bounds else "")
        for part in shares
    )


def _flat(labels: Sequence[Sequence[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All labels int64[M] one item after the other, and the item int64[M] of each."""
    counts = np.array([len(own) for own in labels], np.int64)
    flat = np.fromiter((label for own in labels for label in own), np.int64, int(counts.sum()))
    return flat, np.repeat(np.arange(len(labels)), counts)


def _grouped(paths: Sequence[frozenset[Path]]) -> Iterator[tuple[frozenset[Path], list[int]]]:
    """Canaries of the same labels together: what is relevant to them is looked for once."""
    groups: dict[frozenset[Path], list[int]] = {}
    for number, own in enumerate(paths):
        groups.setdefault(own, []).append(number)
    yield from groups.items()


def _words(codes: Codes) -> npt.NDArray[np.uint64]:
    """uint64[N, ceil(B/8)]: packed codes uint8[N, B], eight bytes a word."""
    width = 8 * math.ceil(codes.shape[1] / 8)
    padded = np.zeros((len(codes), width), np.uint8)
    padded[:, : codes.shape[1]] = codes
    return padded.view(np.uint64)
