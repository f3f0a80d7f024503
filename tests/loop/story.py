"""The loop, once: pictures of a new kind are searched for, and in the end they are found, without anybody's doing but the data's."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from services.runs import Verdict
from tests.loop import catalogue
from tests.loop.load import Load, faults
from tests.loop.timeline import Timeline
from tests.loop.versions import Project
from tests.loop.world import Runner, World, world
from tests.support.monitoring import firing, notified

Runs = list[dict[str, Any]]
ALERT = "TaxohashSearchesFarFromEverything"
RATE = 20.0  # searches a second
_SIGN_SECONDS = 60.0  # in which a sign goes from one process to the next
_BEFORE = 100  # searches for what is known


def tell(home: Path, runner: Runner, timeline: Timeline) -> dict[str, Any]:
    """Let it happen; what came of the searches.

    Raises:
        AssertionError: something of it did not happen, or a search failed.
    """
    project = Project.begin(home / "project", home / "remote")
    md5 = _pushed(project, home, catalogue.FIRST)
    timeline.tell("a data version with pictures of dark things is pushed")
    with world(home, project, runner) as all_of_it:
        timeline.tell("store and trigger run")
        (first,) = _told(all_of_it, md5, lambda runs: len(runs) == 1, timeline, runner)
        assert first["outcome"]["verdict"] == Verdict.PUBLISHED
        with (
            all_of_it.served() as service,
            Load(service.url, catalogue.asked(catalogue.DARK, 1), RATE) as load,
        ):
            timeline.tell("the service is ready, and is searched all the time")
            with all_of_it.watched(service) as (prometheus, alertmanager):
                _loop(all_of_it, load, prometheus, alertmanager, timeline, runner)
                _bad_data(all_of_it, load, timeline, runner)
                assert not firing(prometheus)
    found = faults(load.samples, all_of_it.generations)
    timeline.tell(
        f"{found['searches']} searches: {found['failed'] or 'none'} failed, {found['mixed'] or 'none'} mixed"
    )
    assert not found["failed"], found
    assert not found["mixed"], found
    return found


def _loop(
    all_of_it: World, load: Load, prometheus: str, alertmanager: str, timeline: Timeline, runner: Runner
) -> None:
    trigger = all_of_it.trigger
    timeline.until(lambda: len(load.samples) > _BEFORE, "Prometheus and Alertmanager watch it", _SIGN_SECONDS)
    assert not firing(prometheus), "what is known is not far"
    before = load.serving()
    load.show(catalogue.asked(catalogue.EVERYTHING, 2))
    timeline.tell("half of the searches are for light things, of which the catalogue has none")
    timeline.until(lambda: ALERT in firing(prometheus), f"{ALERT} fires", _SIGN_SECONDS)
    timeline.until(lambda: ALERT in notified(alertmanager), "Alertmanager has it", _SIGN_SECONDS)
    timeline.until(
        lambda: _standing(trigger.runs()) == "waiting for data",
        "the trigger wants to retrain and waits for data",
        _SIGN_SECONDS,
    )
    md5 = _pushed(all_of_it.project, all_of_it.home, catalogue.SECOND)
    timeline.tell("a data version with light things is pushed")
    reindexed, retrained = runs = _told(all_of_it, md5, lambda runs: len(runs) == 2, timeline, runner)
    assert [run["pipeline"] for run in runs] == ["reindex", "retrain"], runs
    if (
        reindexed["outcome"]["verdict"] != Verdict.PUBLISHED
    ):  # else light things are found, and the alert may be resolved
        assert "alert" in {reason["kind"] for reason in retrained["reasons"]}, retrained
    assert retrained["outcome"]["verdict"] == Verdict.PUBLISHED, retrained
    wanted = retrained["outcome"]["generation"]
    timeline.until(lambda: load.serving() == wanted != before, f"generation {wanted} answers", _SIGN_SECONDS)
    timeline.until(lambda: not firing(prometheus), f"{ALERT} is resolved", _SIGN_SECONDS)
    timeline.until(lambda: not notified(alertmanager), "Alertmanager has told so", _SIGN_SECONDS)
    assert len(trigger.ended(md5)) == len(runs), "one retraining, however long the alert fired"


def _bad_data(all_of_it: World, load: Load, timeline: Timeline, runner: Runner) -> None:
    served = load.serving()
    md5 = _pushed(all_of_it.project, all_of_it.home, catalogue.SECOND, mislabelled=True)
    timeline.tell("a data version whose labels are wrong is pushed")
    _told(
        all_of_it,
        md5,
        lambda runs: bool(runs) and runs[-1]["outcome"]["verdict"] == Verdict.REFUSED,
        timeline,
        runner,
    )
    searched = len(load.samples)
    timeline.until(lambda: len(load.samples) > searched + RATE, "it is not served", _SIGN_SECONDS)
    assert load.serving() == served


def _told(
    all_of_it: World, md5: str, enough: Callable[[Runs], bool], timeline: Timeline, runner: Runner
) -> Runs:
    """The runs of a data version, when they are enough; each is told as it ends."""
    runs: Runs = []
    while not enough(runs):
        known = len(runs)
        timeline.wait(partial(_more, all_of_it, md5, known), f"run {known + 1} of {md5}", runner.seconds)
        runs = all_of_it.trigger.ended(md5)[: known + 1]
        outcome, kinds = runs[-1]["outcome"], [reason["kind"] for reason in runs[-1]["reasons"]]
        why = " and ".join(dict.fromkeys(kinds))
        timeline.tell(f"{runs[-1]['pipeline']} for {why}: {outcome['verdict']}, {outcome['reason']}")
        assert outcome["verdict"] not in (Verdict.FAILED, Verdict.INTERRUPTED), outcome
    return runs


def _more(all_of_it: World, md5: str, known: int) -> bool:
    return len(all_of_it.trigger.ended(md5)) > known


def _pushed(project: Project, home: Path, stock: Mapping[int, int], mislabelled: bool = False) -> str:
    return project.push(catalogue.write(home / "new", stock, mislabelled), "more pictures")


def _standing(told: dict[str, Any]) -> str | None:
    """What the retraining that is pending waits for."""
    return next((own["standing"] for own in told["pending"] if own["pipeline"] == "retrain"), None)
