"""Running a pipeline in a process of its own, and following what its steps tell."""

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from pipelines.runners import local
from pipelines.shared.events import Event
from pipelines.shared.record import Record
from services.processes import children
from services.runs import Outcome, Verdict
from taxohash.errors import TaxohashError
from tests.support.fake_kfp import actions
from tests.support.tiny import TAXONOMY as TINY
from tests.support.waiting import until

PUBLISHED = ["note", "ended", {"verdict": "published", "reason": "better"}]


class Watch:
    """What somebody who watches was told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.said: list[str] = []


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def run(tmp_path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    monkeypatch.setenv("TAXOHASH_REDIS_URL", "memory://")
    monkeypatch.setattr(local, "PROCESS", "tests.support.fake_kfp")

    def call(*some: list[object], name: str = "run-1") -> Outcome:
        asked = {"work": str(tmp_path), "run": name, "remote": actions(*some)}
        return local.run("retrain", asked, watch.events.append, watch.said.append)

    return call


def test_steps_are_followed_and_what_they_announce_is_passed_on(
    run: Callable[..., Outcome], watch: Watch, tmp_path: Path
) -> None:
    found = run(
        ["note", "begun", {"pipeline": "retrain", "collection": "birds", "time": 1.0}],
        ["tell", "train", "started"],
        ["print", "    · epoch 1"],
        ["print", "    noise of a library"],
        ["tell", "train", "ended"],
        PUBLISHED,
    )
    assert (found.verdict, found.collection, [*found.seconds]) == (Verdict.PUBLISHED, "birds", ["train"])
    assert [(event.step, event.kind) for event in watch.events] == [("train", "started"), ("train", "ended")]
    assert watch.said == ["· epoch 1"]
    folder = tmp_path / "records" / "run-1"
    assert "noise" in (folder / local.LOG).read_text()
    assert Outcome.of_json((folder / "outcome.json").read_text()) == found
    with pytest.raises(TaxohashError, match="run 'run-1' was another one"):
        run(PUBLISHED)


def test_a_run_that_came_to_a_verdict_comes_to_it_again_without_running(
    run: Callable[..., Outcome], watch: Watch
) -> None:
    actions = (["tell", "publish", "started"], ["tell", "publish", "ended"], PUBLISHED)
    assert run(*actions) == run(*actions)
    assert len(watch.events) == 2


def test_a_run_that_failed_is_taken_up_again(run: Callable[..., Outcome], tmp_path: Path) -> None:
    flag = tmp_path / "there"
    actions = (["until", str(flag)], ["tell", "train", "ended"], PUBLISHED)
    assert run(*actions).verdict is Verdict.FAILED
    flag.touch()
    assert run(*actions).verdict is Verdict.PUBLISHED


def test_a_run_that_goes_on_is_not_run_twice(run: Callable[..., Outcome], tmp_path: Path) -> None:
    other = Record(tmp_path, "run-1")
    other.note("process", pid=os.getppid(), since=psutil.Process(os.getppid()).create_time())
    with pytest.raises(TaxohashError, match=f"goes on in process {os.getppid()}"):
        run(PUBLISHED)


def test_a_step_that_fails_is_the_reason(run: Callable[..., Outcome]) -> None:
    found = run(["tell", "train", "started"], ["tell", "train", "failed", "no space"], ["exit", 1])
    assert (found.verdict, found.reason) == (Verdict.FAILED, "step train: no space")


def test_a_process_that_dies_without_a_word_is_told_with_its_log(
    run: Callable[..., Outcome], tmp_path: Path
) -> None:
    found = run(["exit", 3])
    assert (found.verdict, found.reason) == (Verdict.FAILED, f"see {tmp_path}/records/run-1/log.txt")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_no_process_and_no_verdict(
    number: signal.Signals, run: Callable[..., Outcome], watch: Watch, tmp_path: Path
) -> None:
    before = children()

    def interrupt() -> None:
        until(lambda: bool(watch.events))
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    found = run(["tell", "train", "started"], ["sleep"])
    thread.join()
    assert found.verdict is Verdict.INTERRUPTED
    assert children() == before
    assert not (tmp_path / "records" / "run-1" / "outcome.json").exists()
    assert [event.kind for event in watch.events] == ["started"]


def test_places_of_this_machine(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    TINY.save(data / "taxonomy.json")
    found = local.place(tmp_path / "home", data)
    assert found["data"] == str(data)
    assert found["dataset_md5"].endswith(".dir")
    assert found["image"].startswith("local/python:")
    assert "data" not in local.place(tmp_path / "home", None)
    (tmp_path / "file").touch()
    with pytest.raises(TaxohashError, match="file"):
        local.place(tmp_path / "file" / "home", None)


def test_parameters_are_kept(run: Callable[..., Outcome], tmp_path: Path) -> None:
    run(PUBLISHED)
    kept = json.loads((tmp_path / "records" / "run-1" / local.PARAMETERS).read_text())
    assert kept["pipeline"] == "retrain"
    assert kept["parameters"]["run"] == "run-1"
