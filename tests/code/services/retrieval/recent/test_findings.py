"""What is not well is said, with its numbers, and nothing else is."""

import re
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from services.retrieval.readiness import Standing, Status
from services.retrieval.recent import findings as bounds
from services.retrieval.recent.curves import STEADY
from services.retrieval.recent.findings import Finding, findings, unjudged, verdict
from services.retrieval.recent.past import Past
from tests.support.alerting import alerts
from tests.support.recorded import Metrics, recorder_of

WELL = Standing("a", "a", "a", reachable=True, age_seconds=0.1)


def signs(
    past: Past, standing: Standing = WELL, status: Status = "ready", failing: bool = False
) -> dict[str, Finding]:
    found = findings(standing, status, failing, past)
    assert len({one.sentence for one in found}) == len(found)
    assert all(one.sentence.endswith(".") for one in found)
    return {one.sign: one for one in found}


def after(change: Callable[[Metrics], None], far: int = 2, bands: tuple[int, ...] = (0, 1, 2, 3)) -> Past:
    """Ten minutes of searches, and a change that comes with them."""
    metrics = Metrics()

    def between(reading: int) -> None:
        if reading == 90:
            change(metrics)
        metrics.ask(20, far, bands)

    return recorder_of(metrics, 121, between)._past


def nothing(_: Metrics) -> None:
    pass


@pytest.mark.parametrize("past", [Past.none(), after(nothing), recorder_of(Metrics(), 1, print)._past])
def test_all_is_well(past: Past) -> None:
    assert signs(past) == {}
    assert verdict([]) == "well"


@pytest.mark.parametrize(
    ("standing", "status", "failing", "sign", "said"),
    [
        (Standing(), "loading", False, "loading", "no generation is loaded"),
        (Standing("a", "a", "a", reachable=True, lag_seconds=12.34), "lagging", False, "lag", "for 12.3 s"),
        (Standing("a", "a", "a", reachable=True, age_seconds=7200), "stale", False, "stale", "2 h old"),
        (
            Standing("a", "a", "a", reachable=True, draining=True),
            "draining",
            False,
            "draining",
            "about to end",
        ),
        (Standing("a", "b", "b", reachable=True), "ready", True, "swap", "cannot be loaded"),
        (
            Standing("a", "b", "b", reachable=True),
            "ready",
            False,
            "published",
            "b is published, and a is served",
        ),
        (Standing("a", "a", "a", age_seconds=130), "ready", False, "store", "from memory, 2 min old"),
        (Standing("a", "a", "a"), "ready", False, "store", "of an unknown time old"),
    ],
)
def test_what_is_served(standing: Standing, status: Status, failing: bool, sign: str, said: str) -> None:
    found = signs(Past.none(), standing, status, failing)
    assert set(found) == {sign}
    assert said in found[sign].sentence
    is_critical = sign in ("loading", "lag", "stale", "draining", "swap")
    assert found[sign].severity == ("critical" if is_critical else "warning")
    assert verdict(list(found.values())) == found[sign].severity


def test_one_that_is_pinned_need_not_be_published() -> None:
    assert signs(Past.none(), Standing("a", "a", "b", pinned=True, reachable=True)) == {}


def fail(errors: int) -> Callable[[Metrics], None]:
    def change(metrics: Metrics) -> None:
        metrics.requests["5xx"] += errors

    return change


def test_errors_are_told_and_many_are_critical() -> None:
    few, many = (signs(after(fail(errors)))["errors"] for errors in (3, 30))
    assert (few.severity, many.severity) == ("warning", "critical")
    assert few.sentence == "3 of 1,203 requests in the last 5 minutes ended with a server error."


def late(metrics: Metrics) -> None:
    metrics.timed["late"] += 30


def busy(metrics: Metrics) -> None:
    metrics.busy += 7


def keys(metrics: Metrics) -> None:
    metrics.keys_failing = True


def unlike(metrics: Metrics) -> None:
    metrics.unlike += 300


def less_found(metrics: Metrics) -> None:
    metrics.recall = 0.8


@pytest.mark.parametrize(
    ("change", "sign", "said"),
    [
        (late, "late", "2.4% of the searches in the last 5 minutes took longer than 250 ms"),
        (busy, "busy", "7 searches in the last 5 minutes were refused"),
        (keys, "keys", "file of API keys cannot be read"),
        (unlike, "unlike", "12% of 2,400 pictures in the last hour are like nothing known: 5% is usual"),
        (less_found, "canaries", "Of 400 canaries 80% are found again on level family, where 95% were"),
    ],
)
def test_each_sign(change: Callable[[Metrics], None], sign: str, said: str) -> None:
    found = signs(after(change))
    assert set(found) == {sign}
    assert said in found[sign].sentence
    assert found[sign].severity == "warning"


def test_signs_of_drift() -> None:
    assert (
        "25% of 2,400 searches in 10 minutes are far from every item"
        in signs(after(nothing, far=5))["far"].sentence
    )
    assert set(signs(after(nothing, bands=(0, 1)))) == {"distances"}
    less = signs(after(unsure))
    assert set(less) == {"confidence"}
    assert "0.70 in the mean, where 0.90 is usual" in less["confidence"].sentence


def test_many_canaries_that_are_lost_are_critical() -> None:
    lost = Metrics(recall=0.7)
    assert signs(recorder_of(lost, 3, lambda _: None)._past)["canaries"].severity == "critical"


@pytest.mark.parametrize(
    ("alert", "bound", "queries"),
    [
        ("TaxohashSearchesFarFromEverything", bounds.FAR, bounds.FAR_QUERIES),
        ("TaxohashSearchesUnlikeAnything", bounds.EXCESS_UNLIKE, bounds.QUERIES),
        ("TaxohashDistancesDrifted", STEADY, bounds.QUERIES),
    ],
)
def test_bounds_are_those_of_the_alerts(alert: str, bound: float, queries: int) -> None:
    (rule,) = alerts()[alert]
    assert re.findall(r"> ([\d.]+)", rule["expr"]) == [f"{bound:g}"]
    assert re.findall(r">= (\d+)", rule["expr"]) == [str(queries)]


def test_bounds_of_canaries_are_those_of_the_alerts() -> None:
    told = {
        rule["labels"]["severity"]: re.findall(r"> ([\d.]+)", rule["expr"])
        for rule in alerts()["TaxohashCanaryRecallLower"]
    }
    errors = f"{bounds.LOST_ERRORS:g}"
    assert told == {"page": [f"{bounds.LOST_MANY:g}", errors], "ticket": [f"{bounds.LOST:g}", errors]}


def unsure(metrics: Metrics) -> None:
    """Another generation is served from then on."""
    metrics.swap("b")
    metrics.confidence = 0.7


def test_drift_is_not_told_of_few_queries_nor_canaries_of_few() -> None:
    metrics = Metrics(confidence=0.1)
    past = recorder_of(metrics, 8, lambda _: metrics.ask(20, far=20, bands=[3]))._past  # 140
    assert signs(past) == {}
    assert unjudged(past) == "Drift is judged from 500 pictures in the last hour on, and there were 140."
    assert unjudged(after(nothing)) == unjudged(Past.none()) == ""
    few = Metrics(recall=0.9)
    few.canaries = 30  # three of them need not be found again
    assert signs(recorder_of(few, 3, lambda _: None)._past) == {}
    few.canaries = 3000
    assert set(signs(recorder_of(few, 3, lambda _: None)._past)) == {"canaries"}


def test_noise_is_hardly_ever_taken_for_drift() -> None:
    """Of 150 spans of 500 to 2,000 queries as the reference has them none is told; a naive bound would tell dozens."""
    random, naive = np.random.default_rng(4), 0
    for _ in range(150):
        metrics, queries = Metrics(), int(random.integers(500, 2000))
        past = recorder_of(metrics, 2, partial(draw, metrics, random, queries))._past
        assert signs(past) == {}
        naive += metrics.answered["far"] > 0.11 * queries
    assert naive > 5


def draw(metrics: Metrics, random: np.random.Generator, queries: int, _: int) -> None:
    metrics.ask(queries, far=int(random.binomial(queries, 0.1)))
    metrics.unlike = int(random.binomial(queries, 0.05))
    metrics.bands = random.multinomial(queries, [0.25] * 4).tolist()


def test_the_worst_comes_first() -> None:
    found = findings(
        Standing("a", "b", "b", reachable=True, lag_seconds=9), "lagging", False, after(fail(30))
    )
    assert [one.severity for one in found] == ["critical", "critical", "warning"]
    assert verdict(found) == "critical"
