"""The loop: nothing happens; then pictures of new kinds are searched for, and in the end they are found, without anybody's doing but the
data's; then once more, but the labels of the data that arrive are wrong, and nothing comes of them but words."""

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from services.runs import Verdict
from tests.loop import answers, catalogue, record
from tests.loop.alerts import ALERT, of_drift
from tests.loop.load import Load
from tests.loop.timeline import Timeline
from tests.loop.versions import Project
from tests.loop.world import Runner, Watch, World, world
from tests.support.monitoring import alerts, firing, notified, ranged, scrapes
from tests.support.serving import Service

Runs = list[dict[str, Any]]
RATE = 20.0  # searches a second
_PICTURES = 90  # of each mixture, asked in turn
_CANARIES = 8  # of each thing
_SIGN_SECONDS = 60.0  # in which a sign goes from one process to the next


def tell(home: Path, runner: Runner, timeline: Timeline) -> dict[str, Any]:
    """Let it happen; all that is known of it, as JSON holds it.

    Raises:
        AssertionError: something of it did not happen, a search failed, or an alert fired that should not.
    """
    project = Project.begin(home / "project", home / "remote")
    md5 = _pushed(project, home, catalogue.FIRST)
    timeline.tell("a data version with pictures of dark things is pushed")
    with world(home, project, runner) as all_of_it:
        timeline.tell(
            "store and trigger run" + ("" if all_of_it.exporter else "; no exporter of Redis is here")
        )
        (first,) = _told(all_of_it, md5, lambda runs: len(runs) == 1, timeline)
        assert first["outcome"]["verdict"] == Verdict.PUBLISHED
        with (
            all_of_it.served() as service,
            Load(service.url, catalogue.asked(catalogue.DARK, 1, _PICTURES), RATE) as load,
        ):
            timeline.tell("the service is ready, and is searched all the time")
            with all_of_it.watched(service) as watch:
                story = Story(all_of_it, service, load, watch, timeline)
                story.noise()
                story.loop()
                story.bad_data()
                told = story.record()
    found = answers.faults(load.samples, all_of_it.generations)
    taken = ", ".join(f"{part} {milliseconds} ms" for part, milliseconds in found["milliseconds"].items())
    timeline.tell(
        f"{found['searches']} searches: {found['failed'] or 'none'} failed, {found['mixed'] or 'none'} mixed; {taken}"
    )
    assert not found["failed"], found
    assert not found["mixed"], found
    assert len(found["generations"]) == 2, found
    return record.whole(timeline, runner, load.samples, found, told)


class Story:
    """What happens while the service is searched and watched."""

    def __init__(
        self, all_of_it: World, service: Service, load: Load, watch: Watch, timeline: Timeline
    ) -> None:
        self._world, self._trigger = all_of_it, all_of_it.trigger
        self._service, self._load, self._watch, self._timeline = service, load, watch, timeline
        self._begun = math.inf
        self._expected: list[tuple[float, float]] = []  # when drift may be told
        self._canaries: list[dict[str, Any]] = []

    def noise(self) -> None:
        """Things that are known are searched for: no alert fires, and no run is wanted or begins."""
        noise = self._world.runner.noise
        self._timeline.until(
            lambda: scrapes(self._watch.prometheus) and not alerts(self._watch.prometheus),
            "Prometheus and Alertmanager watch it, and only what is known is asked",
            _SIGN_SECONDS,
            f"only known kinds are asked: for {noise:g} s no alert fires, and no run begins",
        )
        self._begun = self._timeline.now
        self._quiet(noise)

    def loop(self) -> None:
        """Two thirds of the searches become of new kinds; data with labels for them arrive; what is learned of these is served."""
        timeline, new = self._timeline, catalogue.LIGHT + catalogue.LYING
        before, begun = self._load.serving(), timeline.now
        self._load.show(catalogue.asked(catalogue.DARK + new, 2, _PICTURES))
        timeline.tell(
            "of three searches one is for light things, which the catalogue has none of, and one for dark things that lie, as it has never seen any",
            "two thirds of the searches become of kinds that nobody trained for",
        )
        self._alerted()
        low = self._recall(new, "they have not arrived yet")
        md5 = _pushed(self._world.project, self._world.home, catalogue.WIDER)
        timeline.tell(
            "a data version with both is pushed, and canaries of both with it",
            "data with labels for them arrive, and canaries",
        )
        (reindexed,) = _told(self._world, md5, lambda runs: len(runs) == 1, timeline)
        assert reindexed["pipeline"] == "reindex", reindexed
        assert reindexed["outcome"]["verdict"] != Verdict.PUBLISHED, "its hasher knows nothing of what is new"
        timeline.wait(
            lambda: self._load.serving() != before or _is_refused(self._world, md5),
            "another generation answers",
            self._world.runner.seconds,
        )
        timeline.tell(
            f"{self._load.serving()} answers instead of {before}",
            "the challenger passes the gate, and the service swaps to it",
        )
        runs = _told(self._world, md5, lambda runs: len(runs) == 2, timeline, 1)
        retrained = runs[-1]
        assert retrained["pipeline"] == "retrain", retrained
        assert "alert" in {reason["kind"] for reason in retrained["reasons"]}, retrained
        assert retrained["outcome"]["verdict"] == Verdict.PUBLISHED, retrained
        wanted = retrained["outcome"]["generation"]
        timeline.until(
            lambda: self._load.serving() == wanted != before, f"{wanted} answers, as published", _SIGN_SECONDS
        )
        high = self._recall(new, "they can be found")
        assert all(high[level] > low[level] for level in low), f"recall was {low}, and is {high}"
        timeline.wait(lambda: self._own_recall(wanted), "the service asks its canaries", _SIGN_SECONDS)
        own = self._own_recall(wanted)
        timeline.tell(f"recall@{answers.NEAREST} of all its canaries, as the service tells: {_levels(own)}")
        assert all(own[level] > low[level] for level in low), f"recall was {low}, and is {own}"
        timeline.until(
            lambda: not firing(self._watch.prometheus),
            f"{ALERT} is resolved",
            _SIGN_SECONDS,
            "the alert is resolved",
        )
        timeline.until(
            lambda: not notified(self._watch.alertmanager), "Alertmanager has told so", _SIGN_SECONDS
        )
        assert self._trigger.ended(md5) == runs, "one retraining, however long the alert fired"
        self._expected.append((begun, timeline.now))
        self._quiet(self._world.runner.noise / 2)

    def bad_data(self) -> None:
        """Half of the searches are for things half in the sun; data with wrong labels arrive; they are refused, and the alert stays and says why."""
        timeline, served = self._timeline, self._load.serving()
        self._expected.append((timeline.now, math.inf))
        self._load.show(catalogue.asked(catalogue.DARK + catalogue.SUNLIT, 3, _PICTURES))
        timeline.tell(
            "half of the searches are for dark things half in the sun, as it has never seen any",
            "half of the searches become of yet another kind",
        )
        self._alerted()
        low = self._recall(catalogue.SUNLIT, "they have not arrived yet")
        md5 = _pushed(self._world.project, self._world.home, catalogue.SUNNY, mislabelled=True)
        timeline.tell(
            "a data version with such is pushed, whose labels are wrong", "data with wrong labels arrive"
        )
        *_, refused = _told(
            self._world, md5, lambda runs: runs[-1:] != [] and runs[-1]["pipeline"] == "retrain", timeline
        )
        outcome = refused["outcome"]
        assert outcome["verdict"] == Verdict.REFUSED, outcome
        told = self._world.people.of_run(outcome["run"])
        assert outcome["reason"] in told, f"people were told {told!r}"
        timeline.until(
            lambda: "refused" in self._alert_says(),
            "the alert says why it stays",
            _SIGN_SECONDS,
            f"refused, {outcome['reason'].split(': ')[0]}; the alert stays and says so",
        )
        timeline.tell(f"{ALERT}: {self._alert_says()}")
        since, searched, long = timeline.now, len(self._load.samples), self._world.runner.noise / 2
        timeline.wait(lambda: timeline.now > since + long, "time passes", 2 * long + _SIGN_SECONDS)
        timeline.wait(
            lambda: len(self._load.samples) > searched + RATE, "more is searched for", _SIGN_SECONDS
        )
        assert ALERT in firing(self._watch.prometheus)
        assert ALERT in notified(self._watch.alertmanager)
        assert self._load.serving() == served, "what was refused is not served"
        assert [run["pipeline"] for run in self._trigger.ended(md5)].count("retrain") == 1
        assert self._recall(catalogue.SUNLIT, "as before") == low
        timeline.tell(f"{long:g} s later it fires as before, and {served} answers as before")

    def _quiet(self, seconds: float) -> None:
        """For so long no alert fires, and no run is wanted or begins."""
        begun, before = self._timeline.now, self._trigger.runs()
        self._timeline.wait(
            lambda: self._timeline.now > begun + seconds, "time passes", 2 * seconds + _SIGN_SECONDS
        )
        after = self._trigger.runs()
        assert after["history"] == before["history"], "nobody asked for another run"
        assert (after["pending"], after["running"]) == ([], None), after
        seen = record.seen(self._watch, self._timeline, begun)["alerts"]
        fired = [one for one in seen if one["state"] == "firing"]
        assert not fired, f"of what is known nobody should be told: {fired}"
        long = seconds * self._watch.pace.factor / 60
        self._timeline.tell(
            f"for {seconds:g} s, {long:g} minutes at the shipped pace, no alert fired and no run began"
        )

    def record(self) -> dict[str, Any]:
        """What Prometheus, the trigger and the canaries say of it.

        Raises:
            AssertionError: an alert fired that should not.
        """
        told = record.seen(self._watch, self._timeline, self._begun)
        wrong = record.unexpected(told["alerts"], dict.fromkeys(of_drift(), self._expected))
        assert not wrong, f"alerts fired that should not: {wrong}"
        fired = dict.fromkeys(one["name"] for one in told["alerts"] if one["state"] == "firing")
        self._timeline.tell(f"alerts that fired: {', '.join(fired)}; others did not")
        headlines = self._world.people.headlines
        self._timeline.tell(f"people were told {len(headlines)} times: {'; '.join(headlines)}")
        return {
            **told,
            "canaries": self._canaries,
            "people": headlines,
            "history": self._trigger.runs()["history"][::-1],
        }

    def _alerted(self) -> None:
        """The alert fires, and comes to the trigger."""
        timeline = self._timeline
        timeline.until(
            lambda: ALERT in firing(self._watch.prometheus),
            f"{ALERT} fires",
            _SIGN_SECONDS,
            "the alert fires, and the trigger is called: it waits for data",
        )
        timeline.until(
            lambda: ALERT in notified(self._watch.alertmanager), "Alertmanager has it", _SIGN_SECONDS
        )
        timeline.until(
            lambda: _standing(self._trigger.runs()) == "waiting for data",
            "the trigger wants to retrain and waits for data",
            _SIGN_SECONDS,
        )

    def _recall(self, things: tuple[catalogue.Thing, ...], why: str) -> dict[str, float]:
        """Recall of each level of canaries, which are searched for as people search."""
        generation, found = answers.recall(self._service.url, catalogue.canaries(things, _CANARIES))
        kinds = " and ".join(dict.fromkeys(thing.kind for thing in things))
        self._timeline.tell(f"recall@{answers.NEAREST} of canaries, {kinds}, {why}: {_levels(found)}")
        self._canaries.append(
            {"at": round(self._timeline.now, 1), "kinds": kinds, "generation": generation, "recall": found}
        )
        return found

    def _own_recall(self, generation: str) -> dict[str, float]:
        """Recall of each level of a generation's canaries, which the service asks by itself, as Prometheus has it."""
        expression, now = f'taxohash_canary_recall{{generation="{generation}"}}', time.time()
        found = ranged(self._watch.prometheus, expression, now, now, 1.0)
        return {one["metric"]["level"]: float(one["values"][0][1]) for one in found}

    def _alert_says(self) -> str:
        own = [one for one in alerts(self._watch.prometheus) if one["labels"]["alertname"] == ALERT]
        return " ".join(" ".join(one["annotations"].values()) for one in own)


def _told(
    all_of_it: World, md5: str, enough: Callable[[Runs], bool], timeline: Timeline, known: int = 0
) -> Runs:
    """The runs of a data version, when they are enough; each is told as it ends, but for those that are known."""
    runs: Runs = []
    while not enough(runs):
        known = max(known, len(runs))
        timeline.wait(
            partial(_more, all_of_it, md5, known), f"run {known + 1} of {md5}", all_of_it.runner.seconds
        )
        runs = all_of_it.trigger.ended(md5)[: known + 1]
        outcome, kinds = runs[-1]["outcome"], [reason["kind"] for reason in runs[-1]["reasons"]]
        why, pipeline = " and ".join(dict.fromkeys(kinds)), runs[-1]["pipeline"]
        timeline.tell(f"{pipeline} for {why}: {outcome['verdict']}, {outcome['reason']}")
        if outcome["would_change"]:
            timeline.tell(f"compared in the shadow, {outcome['would_change']}")
        assert outcome["verdict"] not in (Verdict.FAILED, Verdict.INTERRUPTED), outcome
    return runs


def _is_refused(all_of_it: World, md5: str) -> bool:
    """Whether a retraining of a data version is."""
    ended = all_of_it.trigger.ended(md5)
    return any((run["pipeline"], run["outcome"]["verdict"]) == ("retrain", Verdict.REFUSED) for run in ended)


def _more(all_of_it: World, md5: str, known: int) -> bool:
    return len(all_of_it.trigger.ended(md5)) > known


def _pushed(
    project: Project, home: Path, stock: Mapping[catalogue.Thing, int], mislabelled: bool = False
) -> str:
    data = catalogue.write(home / "new", stock, mislabelled, watched=_CANARIES)
    return project.push(data, "more pictures")


def _levels(recall: Mapping[str, float]) -> str:
    return ", ".join(f"{level} {share:.2f}" for level, share in recall.items())


def _standing(told: dict[str, Any]) -> str | None:
    """What the retraining that is pending waits for."""
    return next((own["standing"] for own in told["pending"] if own["pipeline"] == "retrain"), None)
