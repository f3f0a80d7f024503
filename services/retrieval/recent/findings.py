"""Whether all is well, and what is not: in sentences, from what is known this moment and what was counted lately."""

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from services.retrieval.readiness import Standing, Status
from services.retrieval.recent.curves import FAR_SECONDS, QUERIES_SECONDS, STEADY, USUALLY_FAR, shift
from services.retrieval.recent.past import Past, Spans

Severity = Literal["warning", "critical"]
Verdict = Literal["well", "warning", "critical"]

_LATELY_SECONDS = 300.0
_ERRORS = 0.01  # share of requests
_LATE = 0.01  # share of searches
_LEAST_SEARCHES = 100
# As the alerts of manifests/monitoring have them, where they say how often noise passes for it; of confidence there is none.
FAR, FAR_QUERIES = 0.2, 150
EXCESS_UNLIKE, QUERIES = 0.06, 500
LOST, LOST_MANY, LOST_ERRORS = 0.03, 0.2, 3.0
_LESS_SURE = 0.1


class Finding(NamedTuple):
    """Something that is not well.

    Attributes:
        sign: a word for it, always the same.
        sentence: what it is, with numbers.
    """

    severity: Severity
    sign: str
    sentence: str


def verdict(found: list[Finding]) -> Verdict:
    """The worst of all."""
    severities = {one.severity for one in found}
    return "critical" if "critical" in severities else "warning" if severities else "well"


def findings(standing: Standing, status: Status, failing: bool, past: Past) -> list[Finding]:
    """All that is not well, the worst first.

    Args:
        failing: what is to be served cannot be loaded.
    """
    found = [*_of_standing(standing, status, failing), *_of_requests(past), *_of_retrieval(past)]
    return sorted(found, key=lambda one: one.severity != "critical")


def unjudged(past: Past) -> str:
    """Why pictures that were searched for are not judged by, in a sentence; empty where they are, or nobody counts them."""
    if not past.labels("queries"):
        return ""
    queries = float(_lately(past, QUERIES_SECONDS, of_generation=True).summed("queries")[0])
    if queries >= QUERIES:
        return ""
    return f"Drift is judged from {QUERIES} pictures in the last hour on, and there were {queries:,.0f}."


def _of_standing(standing: Standing, status: Status, failing: bool) -> Iterator[Finding]:
    lag, age = standing.lag_seconds, standing.age_seconds
    if status == "draining":
        yield Finding("critical", "draining", "It is about to end, and takes no new requests.")
    if status == "loading":
        yield Finding("critical", "loading", "Nothing is served yet: no generation is loaded.")
    if status == "lagging":
        yield Finding(
            "critical", "lag", f"Writes are unread for {lag:.1f} s: it is not ready until it has them."
        )
    if status == "stale":
        yield Finding(
            "critical",
            "stale",
            f"What is searched is {_ago(age)} old, more than it may be (TAXOHASH_STALE_SECONDS).",
        )
    if failing:
        yield Finding(
            "critical", "swap", "What is to be served cannot be loaded: the service's log says why."
        )
    elif not standing.pinned and standing.serving and standing.published not in (None, standing.serving):
        yield Finding(
            "warning",
            "published",
            f"Generation {standing.published} is published, and {standing.serving} is served.",
        )
    if standing.serving and not standing.reachable and status != "draining":
        yield Finding(
            "warning",
            "store",
            f"The code store does not answer: searches go on from memory, {_ago(age)} old, and writes are refused.",
        )


def _of_requests(past: Past) -> Iterator[Finding]:
    if not len(past):
        return
    spans = _lately(past, _LATELY_SECONDS)
    requests, errors, busy, late, timed = (
        float(counted[0])
        for counted in (
            spans.summed("requests", *past.labels("requests")),
            spans.summed("requests", "5xx"),
            spans.summed("busy"),
            spans.summed("timed", "late"),
            spans.summed("timed", "late", "in time"),
        )
    )
    if errors:
        severity: Severity = "critical" if errors > _ERRORS * requests else "warning"
        yield Finding(
            severity,
            "errors",
            f"{errors:,.0f} of {requests:,.0f} requests in the last 5 minutes ended with a server error.",
        )
    if busy:
        yield Finding(
            "warning", "busy", f"{busy:,.0f} searches in the last 5 minutes were refused: too much to do."
        )
    if timed >= _LEAST_SEARCHES and late > _LATE * timed:
        objective = 1000 * float(spans.last("objective")[0])
        yield Finding(
            "warning",
            "late",
            f"{late / timed:.1%} of the searches in the last 5 minutes took longer than {objective:.0f} ms.",
        )
    if float(np.nan_to_num(spans.last("keys failing"))[0]):
        yield Finding(
            "warning",
            "keys",
            "The file of API keys cannot be read: those that were read before stay in force.",
        )


def _of_retrieval(past: Past) -> Iterator[Finding]:
    """Signs of drift."""
    if not len(past):
        return
    spans = _lately(past, FAR_SECONDS, of_generation=True)
    far, searches = (float(spans.summed("answered", *names)[0]) for names in (("far",), ("far", "near")))
    if searches >= FAR_QUERIES and far > FAR * searches:
        yield Finding(
            "warning",
            "far",
            f"{far / searches:.0%} of {searches:,.0f} searches in {FAR_SECONDS / 60:g} minutes are far from every item: "
            f"{USUALLY_FAR:.0%} is usual.",
        )
    spans = _lately(past, QUERIES_SECONDS, of_generation=True)
    queries, unlike = (float(spans.summed(name)[0]) for name in ("queries", "unlike"))
    if queries >= QUERIES:
        usual = float(spans.last("unlike reference")[0])
        if unlike / queries > usual + EXCESS_UNLIKE:
            yield Finding(
                "warning",
                "unlike",
                f"{unlike / queries:.0%} of {queries:,.0f} pictures in the last hour are like nothing known: "
                f"{usual:.0%} is usual.",
            )
        if (found := float(shift(spans)[1][0])) > STEADY:
            yield Finding(
                "warning",
                "distances",
                f"Nearest items lie at other distances than of the reference: PSI {found:.2f}, of {queries:,.0f} pictures "
                "in the last hour.",
            )
        for level in past.labels("confidence reference"):
            mean = float(spans.grown("confidence sum", level)[0] / queries)
            usual = float(spans.last("confidence reference", level)[0])
            if mean < usual - _LESS_SURE:
                yield Finding(
                    "warning",
                    "confidence",
                    f"Answers are less sure on level {level}: {mean:.2f} in the mean, where {usual:.2f} is usual.",
                )
    canaries = float(spans.last("canaries")[0])
    for level in past.labels("canary recall reference"):
        recall, usual = (float(spans.last(f"canary recall{end}", level)[0]) for end in ("", " reference"))
        lost = usual - recall
        if lost > max(LOST, LOST_ERRORS * canary_error(usual, canaries)):
            yield Finding(
                "critical" if lost > LOST_MANY else "warning",
                "canaries",
                f"Of {canaries:,.0f} canaries {recall:.0%} are found again on level {level}, where {usual:.0%} were.",
            )


def canary_error(recall: float, canaries: float) -> float:
    """The standard error of a share of so many, half a canary more found and not found."""
    return math.sqrt((recall * canaries + 0.5) * ((1 - recall) * canaries + 0.5) / (canaries + 1) ** 3)


def _lately(past: Past, seconds: float, of_generation: bool = False) -> Spans:
    """The span that ends now."""
    return Spans.of(past, np.asarray([len(past) - 1]), seconds, of_generation)


def _ago(seconds: float) -> str:
    """A time as one says it."""
    if not math.isfinite(seconds):
        return "of an unknown time"
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
