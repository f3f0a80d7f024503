"""The curves: what is shown of the past, each with what it means, its lines, and where there is one what is usual."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from services.retrieval.nearness import USUAL
from services.retrieval.recent.past import F64, I64, Past, Spans
from services.retrieval.recent.quantiles import quantiles
from taxohash.drift.statistics import psi

Unit = Literal["", "per second", "seconds", "bytes", "ratio"]
Part = Literal["service", "retrieval"]

MOST_POINTS = 181
LEAST_QUERIES = 50  # a share of fewer says nothing
_TRAFFIC_SECONDS = 15.0
_LATENCY_SECONDS = 60.0
FAR_SECONDS = 600.0
QUERIES_SECONDS = 3600.0
USUALLY_FAR = 1 - USUAL
STEADY = 0.1  # a stability index at most
_DIGITS = 4


@dataclass(frozen=True)
class Line:
    """A line of a curve.

    Attributes:
        values: [m] NaN where nothing is known.
        reference: what is usual, or the bound.
    """

    name: str
    values: F64
    reference: float = np.nan


@dataclass(frozen=True)
class Curve:
    """One or several lines on the same axes.

    Attributes:
        seconds: each point is of so many before it; 0: of its moment.
        meaning: one sentence.
        reference: what the lines' references are.
        by_queries: it is of queries, and says nothing where they are few.
        known: the series that is not there where the generation does not tell it.
        of_generation: it is of the generation that is served alone.
    """

    name: str
    title: str
    part: Part
    unit: Unit
    meaning: str
    lines: Callable[[Spans], list[Line]]
    seconds: float = 0.0
    reference: str = ""
    by_queries: bool = False
    known: str = ""
    of_generation: bool = False


def _requests(spans: Spans) -> list[Line]:
    statuses = spans.past.labels("requests")
    return [
        Line("all", spans.rate(spans.summed("requests", *statuses))),
        Line("server errors", spans.rate(spans.summed("requests", "5xx"))),
    ]


def _refused(spans: Spans) -> list[Line]:
    return [
        Line("searches refused", spans.rate(spans.summed("rejected"))),
        Line("of these, too busy", spans.rate(spans.summed("busy"))),
        Line("not let in", spans.rate(spans.summed("not let in"))),
    ]


def _latency(spans: Spans) -> list[Line]:
    ends = sorted(spans.past.labels("search seconds"), key=float)
    counts = np.stack([spans.summed("search seconds", end) for end in ends], axis=1) if ends else None

    def line(name: str, q: float, reference: float) -> Line:
        uppers = np.asarray([float(end) for end in ends])
        empty = np.full(len(spans.ends), np.nan)
        return Line(name, empty if counts is None else quantiles(q, uppers, counts), reference)

    return [
        line("half within (p50)", 0.5, np.nan),
        line("99 in 100 within (p99)", 0.99, _bound(spans, "objective")),
    ]


def _gauge(name: str, line: str, bound: str = "") -> Callable[[Spans], list[Line]]:
    def lines(spans: Spans) -> list[Line]:
        return [Line(line, spans.last(name), _bound(spans, bound))]

    return lines


def _behind(spans: Spans) -> list[Line]:
    return [Line("lag of writes", spans.last("lag")), Line("age of the codes", spans.last("age"))]


def _share(counted: F64, of: F64, least: int = LEAST_QUERIES) -> F64:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(of >= least, counted / of, np.nan)


def _far(spans: Spans) -> list[Line]:
    far = spans.summed("answered", "far")
    return [Line("far", _share(far, far + spans.summed("answered", "near")), USUALLY_FAR)]


def _unlike(spans: Spans) -> list[Line]:
    reference = spans.last("unlike reference")
    return [
        Line("unlike", _share(spans.grown("unlike"), spans.grown("queries")), _known(reference)),
    ]


def _bands(spans: Spans) -> list[Line]:
    counts, found = shift(spans)
    return [Line("PSI", np.where(counts >= LEAST_QUERIES, found, np.nan), STEADY)]


def shift(spans: Spans) -> tuple[F64, F64]:
    """[m] Queries, and the population stability index of the distances of their nearest items; NaN where either side has none."""
    bands = spans.past.labels("band reference")
    if not bands:
        return np.zeros(len(spans.ends)), np.full(len(spans.ends), np.nan)
    counts = np.stack([spans.summed("band", band) for band in bands], axis=1)
    shares = np.stack([spans.last("band reference", band) for band in bands], axis=1)
    queries, of_reference = counts.sum(axis=1), spans.last("queries reference")
    with np.errstate(divide="ignore", invalid="ignore"):
        found = psi(shares, counts / queries[:, None], of_reference[:, None], queries[:, None])
    return queries, found


def _confidence(spans: Spans) -> list[Line]:
    return [
        Line(
            level,
            _share(spans.grown("confidence sum", level), spans.grown("confidence count", level)),
            _known(spans.last("confidence reference", level)),
        )
        for level in spans.past.labels("confidence count")
    ]


def _canaries(spans: Spans) -> list[Line]:
    return [
        Line(level, spans.last("canary recall", level), _known(spans.last("canary recall reference", level)))
        for level in spans.past.labels("canary recall")
    ]


def _bound(spans: Spans, name: str) -> float:
    """What it is now; 0 is none."""
    return _known(spans.last(name)) or np.nan


def _known(reference: F64) -> float:
    """What it is now."""
    return float(reference[-1]) if len(reference) else np.nan


CURVES = (
    Curve(
        "requests",
        "Requests",
        "service",
        "per second",
        "Requests answered, but for this page, probes and scrapes.",
        _requests,
        _TRAFFIC_SECONDS,
    ),
    Curve(
        "latency",
        "Time to answer a search",
        "service",
        "seconds",
        "From the first byte of the request to the answer, upload included.",
        _latency,
        _LATENCY_SECONDS,
        reference="99 in 100 should be within, from the end of the body",
    ),
    Curve(
        "searches",
        "Searches under way",
        "service",
        "",
        "At the moment of each reading; beyond the bound they are refused.",
        _gauge("searches", "under way", "searches most"),
        reference="the bound",
    ),
    Curve(
        "refused",
        "Refusals",
        "service",
        "per second",
        "Searches and uploads that were refused, and requests without the right key.",
        _refused,
        _TRAFFIC_SECONDS,
    ),
    Curve(
        "codes",
        "Codes",
        "service",
        "",
        "Items that a search looks through.",
        _gauge("codes", "searched"),
    ),
    Curve(
        "behind",
        "Behind the code store",
        "service",
        "seconds",
        "For how long a write that is known is unread, and since when it is not certain that all is read.",
        _behind,
    ),
    Curve(
        "memory",
        "Memory",
        "service",
        "bytes",
        "What the process that serves holds; those that decode pictures are not in it.",
        _gauge("memory", "resident"),
    ),
    Curve(
        "far",
        "Searches far from everything",
        "retrieval",
        "ratio",
        "Their nearest item is farther than that of nine in ten queries of the evaluation.",
        _far,
        FAR_SECONDS,
        reference="usual",
        by_queries=True,
        of_generation=True,
    ),
    Curve(
        "unlike",
        "Pictures like nothing known",
        "retrieval",
        "ratio",
        "Share of the queries that are unlike all that the hasher was made of.",
        _unlike,
        QUERIES_SECONDS,
        reference="held-out queries",
        by_queries=True,
        known="unlike reference",
        of_generation=True,
    ),
    Curve(
        "distances",
        "Shift of the nearest distances",
        "retrieval",
        "",
        "How unlike the reference's the distances of the nearest items are: a population stability index.",
        _bands,
        QUERIES_SECONDS,
        reference="steady up to",
        by_queries=True,
        known="band reference",
        of_generation=True,
    ),
    Curve(
        "confidence",
        "Confidence by level",
        "retrieval",
        "ratio",
        "How sure answers are of the query's node on each level, in the mean.",
        _confidence,
        QUERIES_SECONDS,
        reference="held-out queries",
        by_queries=True,
        known="confidence count",
        of_generation=True,
    ),
    Curve(
        "canaries",
        "Canaries found again",
        "retrieval",
        "ratio",
        "Share of the canaries that have their class of each level among their ten nearest items: the service asks them itself.",
        _canaries,
        reference="when it was made",
        known="canary recall",
        of_generation=True,
    ),
)


def points(past: Past, seconds: float, most: int = MOST_POINTS) -> I64:
    """[m] The readings of the last so many seconds, or of these every second, third ..., the same each time, and the last."""
    if not len(past):
        return np.empty(0, np.int64)
    first = int(np.searchsorted(past.times, past.times[-1] - seconds))
    every = -(-(len(past) - first) // most)
    chosen = np.arange(first, len(past))
    kept: I64 = chosen[(past.numbers[first:] % every == 0) | (chosen == len(past) - 1)]
    return kept


def drawn(past: Past, ends: I64) -> list[dict[str, Any]]:
    """Every curve at these readings, as it is told (`schemas.status.CurveTold`)."""
    between = (
        float(np.diff(past.times[ends]).max()) if len(ends) > 1 else 0.0
    )  # what points are apart is in none else
    return [_drawn(curve, past, ends, between) for curve in CURVES]


def _drawn(curve: Curve, past: Past, ends: I64, between: float) -> dict[str, Any]:
    seconds = max(curve.seconds, between) if curve.seconds else 0.0
    spans = Spans.of(past, ends, seconds, curve.of_generation)
    lines = curve.lines(spans)
    return {
        "name": curve.name,
        "title": curve.title,
        "part": curve.part,
        "unit": curve.unit,
        "meaning": curve.meaning,
        "seconds": round(seconds, 1),
        "reference": curve.reference,
        "lacking": _lacking(curve, past, lines),
        "lines": [
            {
                "name": line.name,
                "now": values[-1] if values else None,
                "reference": told(np.asarray([line.reference]))[0],
                "values": values,
            }
            for line in lines
            for values in [told(line.values)]
        ],
    }


def _lacking(curve: Curve, past: Past, lines: list[Line]) -> str:
    """Why nothing is known now, if so."""
    if not len(past):
        return "nothing is measured yet: look again in a few seconds"
    if any(np.isfinite(line.values[-1]) for line in lines):
        return ""
    if curve.known and not past.labels(curve.known):
        return "not measured of what is served"
    if curve.by_queries:
        return f"too few queries yet: it takes {LEAST_QUERIES} in {curve.seconds / 60:g} minutes"
    return f"nothing in the last {curve.seconds:g} seconds" if curve.seconds else "not known now"


def told(values: F64) -> list[float | None]:
    """With some four digits; None where there is no number."""
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = 10 ** np.clip(_DIGITS - 1 - np.floor(np.log10(np.abs(values))), 0, 12)
        rounded = np.where(values == 0, 0.0, np.round(values * digits) / digits)
    return [value if math.isfinite(value) else None for value in rounded.tolist()]
