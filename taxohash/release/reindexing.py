"""The judge of reindexing: may the same hasher's codes of a new data version take the place of the old ones?

The hasher is the one that is served, so its quality is not in question: its codes of the new version must be as healthy as before, and the
canaries, pictures that nobody can find, must find their classes as well as before. How much of the catalogue goes, comes or
changes its label is told, and much of it awaits a person: an export that was cut short looks like this.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from taxohash.codes import check
from taxohash.release.bootstrap import interval
from taxohash.release.changes import changes, labelled
from taxohash.release.judging import Compared, Judgement, Judging, Verdict
from taxohash.release.recall import NEAREST, CanaryCodes, Catalogue, level_names, recall
from taxohash.runtime.configuration import NonNegative, Share, configuration

GONE, COME, RELABELLED = "items gone", "items come", "items relabelled"
_CHANGES = {GONE: "of the items go", COME: "are new", RELABELLED: "change their label"}


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


def judge(
    before: Catalogue, after: Catalogue, canaries: CanaryCodes | None, bits: int, policy: Policy | None = None
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


def _recalls(
    before: Catalogue, after: Catalogue, canaries: CanaryCodes, bits: int, policy: Policy
) -> tuple[Compared, ...]:
    levels = canaries.depth
    if not levels:
        return ()
    check(canaries.codes, bits, "codes of the canaries", rows=len(canaries.paths))
    new, old = recall(after, canaries, bits, levels), recall(before, canaries, bits, levels)
    low, high = interval(new - old, policy.confidence, policy.resamples, policy.seed)
    names = level_names(canaries, levels)
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
