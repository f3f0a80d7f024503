"""The check: statistics of what was seen lately against bounds that noise hardly passes, and a verdict that names those that did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from taxohash.drift.noise import (
    Bounds,
    bounds,
    simulated_recalls,
    simulated_samples,
    unseen_chance,
    unseen_most,
)
from taxohash.drift.policy import Policy
from taxohash.drift.sample import Sample, Source
from taxohash.drift.statistics import Floats, bit_psi, effective, shares, statistics
from taxohash.generation.reference import Reference
from taxohash.runtime.configuration import Series, configuration

Verdict = Literal["drifted", "steady", "too few"]
Of = Literal["queries", "items", "canaries"]
_RECALL_PLACES = 5
Columns = Mapping[str, npt.NDArray[np.float32]]

WORDS = {
    "bits": "bit marginals (PSI)",
    "worst_bit": "worst bit (PSI)",
    "entropy": "bit entropy",
    "nearest": "farther from every item",
    "classes": "share of top nodes (PSI)",
    "unlike": "unlike anything known",
    "recall": "recall@10 lost",
}


@configuration
class Finding:
    """One statistic of a check.

    Attributes:
        of: what was looked at.
        statistic: see `statistics`.
        level: of the taxonomy, for recall.
        value: what it came to.
        bound: beyond which it raises an alarm.
        chance: share of checks without any change in which any statistic is as extreme.
        alarm: whether it does.
        told: before and now, in words.
    """

    of: Of
    statistic: str
    level: str = ""
    value: float
    bound: float
    chance: float
    alarm: bool
    told: str = ""

    @property
    def name(self) -> str:
        """Such as "queries: bit marginals (PSI)"."""
        words = f"{self.of}: {WORDS[self.statistic]}"
        return f"{words}, {self.level}" if self.level else words


@configuration
class Judgement:
    """What a check says.

    Attributes:
        verdict: `too few` where too little was asked to say anything of it, and nothing else drifted.
        reason: in one sentence.
        findings: of every statistic that could be looked at.
        left_out: what could not, and why.
        rate: share of the simulated checks that raised an alarm; the stated one is an upper bound of it.
    """

    verdict: Verdict
    reason: str
    findings: Series[Finding] = ()
    left_out: Series[str] = ()
    rate: float = 0.0

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """Those that raise one, the surest first."""
        return tuple(sorted((one for one in self.findings if one.alarm), key=lambda one: one.chance))


@dataclass(frozen=True, eq=False)
class Seen:
    """What is looked at in a check.

    Attributes:
        queries, items: what was asked, and stored.
        recall: float[Q, levels], recall@10 of the reference's canaries among the items that are there now; None where there are none.
        levels: names of the taxonomy's levels.
        tops: names of its top nodes.
    """

    queries: Sample
    items: Sample
    recall: npt.NDArray[np.floating] | None
    levels: Sequence[str]
    tops: Sequence[str]


@dataclass(frozen=True, eq=False)
class _Part:
    """Statistics of one kind of thing: of each its value, and its values float64[checks] where nothing has changed.

    `unseen` are those of what no picture of the reference shows, `counts` how many pictures there are of it and lately.
    """

    of: Of
    values: dict[str, float]
    noise: dict[str, Floats]
    told: dict[str, str]
    counts: tuple[float, float] = (0.0, 0.0)
    unseen: frozenset[str] = frozenset()


def judge(reference: Reference, seen: Seen, policy: Policy | None = None) -> Judgement:
    """Compare what was seen lately with a generation's reference."""
    policy = policy or Policy()
    parts: list[_Part] = []
    left_out: list[str] = []
    random = np.random.default_rng(policy.seed)
    for sample, least in ((seen.queries, policy.queries_least), (seen.items, policy.items_least)):
        if len(sample) < least:
            left_out.append(
                f"{sample.source}: {len(sample):,} different pictures, and fewer than {least:,} tell nothing"
            )
            continue
        part, unknown = _of_sample(reference, sample, seen.tops, policy.simulations, random)
        parts += [part] if part.values else []
        left_out += [f"{sample.source}: the generation keeps no reference of {what}" for what in unknown]
    if reference.canaries is None or seen.recall is None:
        left_out.append("canaries: the generation keeps no recall of any")
    else:
        parts.append(_of_canaries(reference.canaries, seen.recall, seen.levels, policy.simulations, random))
    if not parts:
        return Judgement(verdict="too few", reason="; ".join(left_out), left_out=tuple(left_out))
    drawn = bounds(
        np.stack([values for part in parts for values in part.noise.values()], axis=1),
        1 / policy.false_alarms_every,
    )
    findings = _findings(parts, drawn, policy)
    verdict, reason = _verdict(findings, left_out, any(part.of == "queries" for part in parts), policy)
    return Judgement(
        verdict=verdict, reason=reason, findings=tuple(findings), left_out=tuple(left_out), rate=drawn.rate
    )


def _verdict(
    findings: Sequence[Finding], left_out: Sequence[str], asked: bool, policy: Policy
) -> tuple[Verdict, str]:
    if alarms := sorted((one for one in findings if one.alarm), key=lambda one: one.chance):
        return "drifted", "; ".join(
            f"{one.name} {one.value:.4f}, chance passes {one.bound:.4f} once in {policy.false_alarms_every:,} checks"
            + (f" ({one.told})" if one.told else "")
            for one in alarms
        )
    within = f"{len(findings)} statistics are within what chance alone explains"
    if not asked:
        return "too few", f"{left_out[0]}; {within}"
    return "steady", within


def _findings(parts: Sequence[_Part], drawn: Bounds, policy: Policy) -> list[Finding]:
    found: list[Finding] = []
    count = sum(len(part.values) for part in parts)
    for part in parts:
        for key, value in part.values.items():
            number = len(found)
            statistic, _, level = key.partition(" ")
            let_pass, chance = float(getattr(policy.tolerance, statistic)), drawn.chance(number, value)
            if key in part.unseen:
                let_pass = max(let_pass, unseen_most(*part.counts, 1 / policy.false_alarms_every / count))
                chance = max(chance, min(count * unseen_chance(*part.counts, max(value, 0.0)), 1.0))
            bound = max(float(drawn.values[number]), let_pass)
            found.append(
                Finding(
                    of=part.of,
                    statistic=statistic,
                    level=level,
                    value=round(value, 6),
                    bound=round(bound, 6),
                    chance=chance,
                    alarm=value > bound,
                    told=part.told.get(key, ""),
                )
            )
    return found


def _of_sample(
    reference: Reference, sample: Sample, tops: Sequence[str], checks: int, random: np.random.Generator
) -> tuple[_Part, list[str]]:
    """The statistics of what was asked or stored, and what the reference does not know."""
    before, now = common(reference, sample, len(tops))
    known = {"bits", "nearest", "classes", "unlike"} if sample.source == "queries" else {"bits", "classes"}
    unknown = sorted(known - before.keys())
    if not before:
        return _Part(sample.source, {}, {}, {}), unknown
    was, held = means(before, np.ones(len(reference))), means(now, sample.weights)
    counts = float(len(reference)), effective(sample.weights)
    values = {name: float(value) for name, value in statistics(was, held, *counts).items()}
    noise = simulated_samples(before, sample, checks, random)
    told = _told(was, held, counts, sample.source, tops)
    return _Part(sample.source, values, noise, told, counts, _unseen(was, held)), unknown


def common(reference: Reference, sample: Sample, tops: int) -> tuple[Columns, Columns]:
    """What is counted of the reference's pictures and of a sample's: parts that are known of both."""
    before = Sample.of_reference(reference, sample.source).columns(reference.bits, tops)
    now = sample.columns(reference.bits, tops)
    return {name: before[name] for name in before if name in now}, {
        name: now[name] for name in before if name in now
    }


def means(columns: Columns, weights: npt.NDArray[np.float64]) -> dict[str, Floats]:
    """Shares float64[C] of each part, of pictures with weights float64[N]."""
    return shares({name: weights @ part for name, part in columns.items()}, float(weights.sum()))


def _unseen(was: Mapping[str, Floats], now: Mapping[str, Floats]) -> frozenset[str]:
    """The statistics that come to what they do by something that no picture of the reference shows."""
    where = {name: int((now[name] - was[name]).argmax()) for name in ("nearest", "unlike") if name in now}
    return frozenset(name for name, at in where.items() if not was[name][at])


def _told(
    was: Mapping[str, Floats],
    now: Mapping[str, Floats],
    counts: tuple[float, float],
    source: Source,
    tops: Sequence[str],
) -> dict[str, str]:
    """What people see first of each statistic."""
    told = {}
    if "bits" in now:
        worst = int(bit_psi(was["bits"], now["bits"], *counts).argmax())
        told["worst_bit"] = f"bit {worst} is set: {_percent(now['bits'][worst], was['bits'][worst])}"
    if "nearest" in now:
        at = int((now["nearest"] - was["nearest"]).argmax())
        told["nearest"] = f"nothing within {at} bits: {_percent(now['nearest'][at], was['nearest'][at])}"
    if "classes" in now:
        names = [*(["none was sure"] if source == "queries" else []), *tops]
        most = int(np.abs(now["classes"] - was["classes"]).argmax())
        told["classes"] = f"{names[most]}: {_percent(now['classes'][most], was['classes'][most])}"
    if "unlike" in now:
        told["unlike"] = _percent(now["unlike"][0], was["unlike"][0])
    return told


def _of_canaries(
    before: npt.NDArray[np.floating],
    now: npt.NDArray[np.floating],
    levels: Sequence[str],
    checks: int,
    random: np.random.Generator,
) -> _Part:
    falls = (before - now).round(_RECALL_PLACES)  # the reference is kept in single precision
    noise = simulated_recalls(falls, checks, random)
    keys = [f"recall {level}" for level in levels[: falls.shape[1]]]
    return _Part(
        "canaries",
        dict(zip(keys, falls.mean(axis=0).tolist(), strict=True)),
        dict(zip(keys, noise.T, strict=True)),
        {
            key: f"{new:.3f}, was {old:.3f}"
            for key, new, old in zip(keys, now.mean(axis=0), before.mean(axis=0), strict=True)
        },
    )


def _percent(now: float, before: float) -> str:
    return f"{100 * now:.1f} %, was {100 * before:.1f} %"
