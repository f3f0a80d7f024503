"""Alerts of drift: how often does each fire where nothing has changed?

    python -m benchmarks.methods.alerts [--references 100] [--days 120]

A reference of 2,000 queries is drawn, and then days of queries of the same kind, as few as the alert asks for, since more are steadier. Each minute what
the rule of manifests/monitoring says is worked out over its window, which overlaps the one before, and an alarm is counted where it is beyond the
bound for as long as the rule waits. Queries are independent: fifty views of one thing by one visitor are fifty here, and say less there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from benchmarks.common.command import start
from benchmarks.common.places import RESULTS
from benchmarks.common.rows import Row, commits, run
from benchmarks.common.tables import publish, table
from taxohash.drift.statistics import bit_psi, psi

REFERENCE = 2000  # queries
FAR, UNLIKE = 0.1, 0.05  # shares of what is usual
BANDS, NODES, CLASSES, BITS, FLIPPED = 8, 18, 100, 48, 0.05
MINUTES = 24 * 60
STRETCH = 30  # days that are held at once
TIGHTER = (0.5, 0.75, 1.0)  # times the bound

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Draw = Callable[[np.random.Generator, Counts], Floats]


@dataclass(frozen=True)
class Rule:
    """What an alert asks for.

    Attributes:
        window: minutes that it looks back.
        least: queries in a window, below which it says nothing.
        bound: what its value must exceed.
        wait: minutes for which it must.
        draws: from randomness to one reference's draw, which makes of how many queries each minute has what each is, as
            counts float64[minutes, C].
        value: of counts float64[windows, C] in a window, queries in it, and the reference's shares float64[C].
    """

    window: int
    least: int
    bound: float
    wait: int
    draws: Callable[[np.random.Generator], tuple[Floats, Draw]]
    value: Callable[[Floats, float, Floats], Floats]


def of_cells(shares: Floats, random: np.random.Generator) -> tuple[Floats, Draw]:
    """A reference's shares of cells, and what draws queries of each cell: each is of one."""

    def draw(random: np.random.Generator, counts: Counts) -> Floats:
        return random.multinomial(counts, shares).astype(np.float64)

    return random.multinomial(REFERENCE, shares) / REFERENCE, draw


def of_bits(random: np.random.Generator) -> tuple[Floats, Draw]:
    """The same of bits: a query has the code of its class, of which some bits are flipped, so that bits go together."""
    codes = random.integers(0, 2, (CLASSES, BITS), np.uint8)
    asked = long_tail(CLASSES)

    def pictures(random: np.random.Generator, count: int) -> npt.NDArray[np.uint8]:
        flipped = random.integers(0, 256, (count, BITS), np.uint8) < 256 * FLIPPED
        found: npt.NDArray[np.uint8] = np.bitwise_xor(codes[random.choice(CLASSES, count, p=asked)], flipped)
        return found

    def draw(random: np.random.Generator, counts: Counts) -> Floats:
        ends = np.concatenate([[0], np.cumsum(counts)])
        ones = np.cumsum(pictures(random, int(ends[-1])), axis=0, dtype=np.int32)
        sums = np.concatenate([np.zeros((1, BITS), np.int32), ones])[ends]
        found: Floats = np.diff(sums, axis=0).astype(np.float64)
        return found

    return pictures(random, REFERENCE).mean(axis=0), draw


def of_a_threshold(usual: float, random: np.random.Generator) -> tuple[Floats, Draw]:
    """The same where the reference chose what counts: of queries about as large a share is beyond its threshold, but not quite."""
    found = random.binomial(REFERENCE, usual) / REFERENCE
    return of_cells(np.array([1.0 - found, found]), random)


def long_tail(cells: int) -> Floats:
    """Shares of which the k-th is 1/k as large as the first."""
    parts = 1.0 / np.arange(1, cells + 1)
    found: Floats = parts / parts.sum()
    return found


def share(counts: Floats, queries: float, _reference: Floats) -> Floats:
    """Of the second cell."""
    found: Floats = counts[:, 1] / queries
    return found


def excess(counts: Floats, queries: float, reference: Floats) -> Floats:
    """By how much it is more than the reference's."""
    found: Floats = counts[:, 1] / queries - reference[1]
    return found


def index(counts: Floats, queries: float, reference: Floats) -> Floats:
    """Population stability index."""
    return psi(reference, counts / queries, REFERENCE, queries)


def mean_index(counts: Floats, queries: float, reference: Floats) -> Floats:
    """Its mean over bits."""
    found: Floats = bit_psi(reference, counts / queries, REFERENCE, queries).mean(axis=-1)
    return found


RULES = {
    "TaxohashSearchesFarFromEverything": Rule(10, 150, 0.2, 15, partial(of_a_threshold, FAR), share),
    "TaxohashSearchesUnlikeAnything": Rule(
        60, 500, 0.06, 15, partial(of_cells, np.array([1.0 - UNLIKE, UNLIKE])), excess
    ),
    "TaxohashDistancesDrifted": Rule(60, 500, 0.1, 15, partial(of_cells, np.full(BANDS, 1.0 / BANDS)), index),
    "TaxohashTopNodesDrifted": Rule(60, 500, 0.15, 15, partial(of_cells, long_tail(NODES)), index),
    "TaxohashBitsDrifted": Rule(60, 500, 0.02, 15, of_bits, mean_index),
}


def each_minute(queries: int, window: int, days: int) -> Counts:
    """int64[minutes]: queries of each minute, of which any `window` in a row have that many."""
    found: Counts = np.diff(np.arange(days * MINUTES + 1) * queries // window)
    return found


def in_windows(counts: Floats, window: int) -> Floats:
    """Sums float64[minutes - window + 1, C] of `window` minutes in a row."""
    sums = np.concatenate([np.zeros((1, counts.shape[1])), np.cumsum(counts, axis=0)])
    found: Floats = sums[window:] - sums[:-window]
    return found


def alarms(over: npt.NDArray[np.bool_], wait: int) -> int:
    """How often it is over for more than `wait` minutes in a row: it fires once it has been for so long."""
    edges = np.diff(np.concatenate([[0], over.astype(np.int8), [0]]))
    return int((np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0) > wait).sum())


def measure(references: int, days: int, task: Row) -> Row:
    """Alarms of an alert over so many references with so many days each, by how tight its bound is."""
    rule, random = RULES[task["method"]], np.random.default_rng(0)
    counts = each_minute(rule.least, rule.window, STRETCH)
    found = np.zeros((len(TIGHTER), references), np.int64)
    for reference in range(references):
        usual, draw = rule.draws(random)
        for _ in range(days // STRETCH):
            seen = rule.value(in_windows(draw(random, counts), rule.window), float(rule.least), usual)
            found[:, reference] += [alarms(seen > times * rule.bound, rule.wait) for times in TIGHTER]
    return {
        "references": references,
        "days": days // STRETCH * STRETCH * references,
        "window": rule.window,
        "bound": rule.bound,
        "wait": rule.wait,
        "alarms": dict(zip(map(str, TIGHTER), found.sum(axis=1).tolist(), strict=True)),
        "most": dict(zip(map(str, TIGHTER), found.max(axis=1).tolist(), strict=True)),
    }


def main(
    references: Annotated[int, typer.Option(help="drawn anew, each watched for as long")] = 100,
    days: Annotated[int, typer.Option(help="of each")] = 120,
    out: Annotated[Path, typer.Option(help="folder of the table and its rows")] = RESULTS,
) -> None:
    tasks: list[Row] = [{"method": name, "size": rule.least} for name, rule in RULES.items()]
    rows: list[Row] = []
    run(tasks, rows, out / "alerts.json", partial(measure, references, days))
    publish(out / "alerts.md", as_markdown(rows))


def stated(row: Row) -> str:
    """The rate in words, as the alert's annotation has it."""
    count = row["alarms"]["1.0"]
    return (
        f"{count or 'none'} in {row['days']:,} simulated days of {row['size']} queries in each {row['window']} minutes, "
        f"{row['references']} references"
    )


def as_markdown(rows: list[Row]) -> list[str]:
    """How often each alert fires on noise."""
    return [
        "# Alerts of drift on noise",
        "",
        f"`python -m benchmarks.methods.alerts`, commit {commits(rows)}. Alarms where nothing has changed, at as few queries as each alert asks for, "
        f"against references of {REFERENCE:,} queries that are drawn anew; in brackets those of the worst reference. The bounds in "
        "manifests/monitoring/alerts/drift.yaml are those of the last column.",
        "",
        *table(
            [
                "alert",
                "queries in a window",
                "for",
                "days",
                *(f"{times:g} of the bound" for times in TIGHTER[:-1]),
                "the bound",
            ],
            (
                [
                    row["method"],
                    f"{row['size']} in {row['window']} min",
                    f"{row['wait']} min",
                    f"{row['days']:,}",
                    *(
                        f"{times * row['bound']:g}: {row['alarms'][str(times)]:,} ({row['most'][str(times)]})"
                        for times in TIGHTER
                    ),
                ]
                for row in rows
            ),
        ),
    ]


if __name__ == "__main__":
    start(main)
