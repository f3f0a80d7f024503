"""What an evaluation found, in three sentences for people who read no metrics; every number is computed here."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.codes import bit_health
from taxohash.evaluation.report.evidence import Evidence
from taxohash.protocols import PROTOCOLS, Report
from taxohash.runtime.drawing import short
from taxohash.taxonomy import Taxonomy

# A bit that has one value on more than this share of the database tells little.
IDLE = 0.9
WEAKEST = 3
CHUNK = 256


def verdict(
    report: Report, taxonomy: Taxonomy, evidence: Evidence | None, provenance: Mapping[str, Any]
) -> list[str]:
    """What the first answers are, beside chance; where it is weakest; what the bits carry."""
    return [_answers(report, taxonomy, evidence, provenance), _weakest(report), _bits(report, evidence)]


def _answers(
    report: Report, taxonomy: Taxonomy, evidence: Evidence | None, provenance: Mapping[str, Any]
) -> str:
    sets = PROTOCOLS[report.protocol].label_sets == "demanded"
    chances = _chances(evidence, taxonomy) if evidence is not None else {}
    seen = provenance.get("queries") == provenance.get("learned_from")
    query = "a picture" if seen else "a picture it was not trained on"
    places, metric = next(((at, f"P@{at}") for at in (10, 100) if f"P@{at}" in report.metrics), (0, "mAP"))
    if not places:
        parts = [
            f"{_percent(report.metrics[name])} are of {whose}{_by_chance(chances.get(level), 1)}"
            for level, whose, name in _levels(report, taxonomy, sets, metric)
        ]
        return (
            f"Reading the answers to {query} down to each one that is relevant, on average {_listed(parts)}."
        )
    places = min(places, report.counts["database"])
    parts = [
        f"{places * report.metrics[name]:.1f} {'share a label with it' if sets else f'are of {whose}'}"
        f"{_by_chance(chances.get(level), places)}"
        for level, whose, name in _levels(report, taxonomy, sets, metric)
    ]
    return f"Of the first {places} answers to {query}, {_listed(parts)}."


def _levels(report: Report, taxonomy: Taxonomy, sets: bool, metric: str) -> list[tuple[int, str, str]]:
    """Level, what its classes are called, and the metric's name, for the levels that were measured, finest first."""
    fine, named = taxonomy.depth - 1, bool(taxonomy.level_names)
    if sets or taxonomy.depth == 1 or f"{metric}/{taxonomy.levels[0]}" not in report.metrics:
        return [(fine, "its own class", metric)]
    others = [(level, f"{metric}/{taxonomy.levels[level]}") for level in range(fine - 1, -1, -1)]
    return [
        (fine, f"its own {short(taxonomy.levels[fine]) if named else 'class'}", metric),
        *(
            (level, f"its {'' if named else 'class at '}{short(taxonomy.levels[level])}", name)
            for level, name in others
        ),
    ]


def _chances(evidence: Evidence, taxonomy: Taxonomy) -> dict[int, float]:
    """By level the share of a query's database that is relevant to it, in the mean over queries."""
    asked, ranked = evidence.query_labels, evidence.database_labels
    itself = int(evidence.leave_one_out)
    others = max(len(ranked) - itself, 1)
    if asked.ndim == 2:
        found = ranked.astype(np.float32)
        shared = [
            ((asked[start : start + CHUNK].astype(np.float32) @ found.T) > 0).sum(axis=1) - itself
            for start in range(0, len(asked), CHUNK)
        ]
        return {taxonomy.depth - 1: float(np.concatenate(shared).mean()) / others}
    chances = {}
    for level in range(taxonomy.depth):
        classes: npt.NDArray[np.int32] = taxonomy.ancestors[:, level]
        sizes = np.bincount(classes[ranked], minlength=taxonomy.class_count(level))
        chances[level] = float((sizes[classes[asked]] - itself).mean()) / others
    return chances


def _weakest(report: Report) -> str:
    if not report.classes:
        score = report.value("nDCG")
        order = (
            ""
            if score is None
            else f" Its order of answers reaches {_percent(score)} of the best one (nDCG)."
        )
        return f"Over all queries and places, {_percent(report.metrics['mAP'])} is its mean precision (mAP).{order}"
    ranked = sorted(report.classes.items(), key=lambda item: item[1])
    least, best = _percent(ranked[0][1]), _percent(ranked[-1][1])
    if least == best:
        all_alike = f"Each of the {len(ranked)} classes" if len(ranked) > 1 else "The one class"
        return f"{all_alike} reaches {best} by mean precision (mAP)."
    shown = ranked[: min(WEAKEST, max(len(ranked) // 2, 1))]
    named = [f"{short(path.split('/')[-1])} ({_percent(score)})" for path, score in shown]
    weakest = "class is" if len(named) == 1 else "classes are"
    return f"The weakest {weakest} {_listed(named)} by mean precision (mAP); the strongest reaches {best}."


def _bits(report: Report, evidence: Evidence | None) -> str:
    if evidence is None:
        return f"Pictures are compared by {report.counts.get('dimensions', 0):,} real numbers: there are no bits to judge."
    health = bit_health(evidence.database_codes, evidence.bits)
    share = np.array(health.balance)
    idle = int(((share > IDLE) | (share < 1 - IDLE)).sum())
    pictures = len(evidence.database_codes)
    if health.distinct_codes == 1 < pictures:
        return f"All {pictures:,} pictures have the same code: it tells nothing apart."
    verb, have = ("carries", "it has") if idle == 1 else ("carry", "they have")
    told = f"{idle} of {evidence.bits} bits {verb} little: {have} one value in over {_percent(IDLE)} of the pictures"
    if not idle:
        told = f"None of the {evidence.bits} bits is idle: each has either value in over {_percent(1 - IDLE)} of the pictures"
    return f"{told}; {pictures:,} pictures have {health.distinct_codes:,} different codes."


def _by_chance(share: float | None, places: int) -> str:
    if share is None:
        return ""
    return f" (by chance {_rounded(share * places) if places > 1 else _percent(share)})"


def _rounded(value: float) -> str:
    return f"{value:.1f}" if value >= 0.1 or value == 0 else f"{value:.1g}"


def _percent(share: float) -> str:
    percent = 100 * share
    if 99 < percent < 100:
        return f"{math.floor(10 * percent) / 10} %"
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
