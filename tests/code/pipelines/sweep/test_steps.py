"""The steps of a sweep on a miniature set, with trials that are made up: what is asked, told and chosen."""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from pipelines.runners.parameters import add_arguments, parameters
from pipelines.shared.outcome import outcome
from pipelines.shared.record import Record
from pipelines.shared.summary import lines
from pipelines.sweep import steps
from pipelines.sweep.steps import ROUNDS
from services.runs import EXIT_CODES, Outcome, Verdict
from taxohash.datasets import Dataset
from taxohash.runtime.configuration import canonical, parse, read, replaced
from taxohash.runtime.flags import Parser
from taxohash.sweep import run as sweeping
from taxohash.sweep.held_out import HELD_OUT
from taxohash.sweep.run import Sweep
from taxohash.sweep.trials import Trial
from taxohash.training.config import HasherConfig
from tests.support.miniature import HASHER, make_dataset
from tests.support.steps import refusal

SEARCH = ["training.lr=0.01..0.3:log", "training.batch=32,64"]
TRIALS = 10


def quality(place: Path, number: int, values: dict[str, Any], *given: Any) -> Trial:
    """Best at a rate of 0.1; the third trial is refused."""
    if number == 2:
        return Trial(number=number, values=values, reason="the loss is no number")
    return Trial(number=number, values=values, score=1 - abs(values["training.lr"] - 0.1), seconds=1.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("set") / "data", train=60, test=12)


@pytest.fixture
def plan(data: Dataset) -> str:
    return steps.check(data.md5(), canonical(HASHER), SEARCH, TRIALS, "headline", 0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the trials that were made."""
    numbers: list[int] = []

    def tried(place: Path, number: int, *given: Any) -> Trial:
        numbers.append(number)
        return quality(place, number, *given)

    monkeypatch.setattr(sweeping, "_tried", tried)
    return numbers


def swept(
    work: Path, data: Dataset, plan: str, rounds: int = ROUNDS, trials: int = TRIALS
) -> tuple[str, list[str], list[list[str]]]:
    """What the last step gets, and what was asked in each round."""
    before, told, asked = "[]", list[str](), list[list[str]]()
    steps.hold_out(str(work), "run-1", str(data.folder), plan)
    for number in range(rounds):
        before, wanted = steps.ask(plan, before, told, trials, number)
        told = [steps.trial(str(work), str(data.folder), plan, one) for one in wanted]
        asked.append(wanted)
    return before, told, asked


def chosen(work: Path, data: Dataset, plan: str, before: str, told: list[str]) -> tuple[str, Outcome]:
    best, page = work / "best.json", work / "page.html"
    flags = steps.choose(
        plan,
        before,
        told,
        str(data.folder),
        str(work),
        "run-1",
        str(best),
        str(page),
        "s3://bucket/page.html",
    )
    return flags, outcome(Record(work, "run-1"), [])


def test_rounds_are_asked_by_those_before_and_the_best_is_chosen(
    data: Dataset, plan: str, made: list[int], tmp_path: Path
) -> None:
    before, told, asked = swept(tmp_path, data, plan)
    assert [len(one) for one in asked] == [2, 3, 2, 3]
    assert made == [json.loads(one)["number"] for part in asked for one in part] == list(range(TRIALS))
    flags, ended = chosen(tmp_path, data, plan, before, told)
    trials = [*(read(Trial, one) for one in json.loads(before)), *(parse(Trial, one) for one in told)]
    top = max((one for one in trials if one.score is not None), key=lambda one: one.score or 0.0)
    expected = replaced(parse(Sweep, plan).config, top.values)
    assert read(HasherConfig, json.loads((tmp_path / "best.json").read_text())) == expected
    assert (ended.verdict, ended.flags, ended.data_md5) == (Verdict.CHOSEN, flags, data.md5())
    assert ended.report == "s3://bucket/page.html"
    assert ended.reason.startswith(
        f"trial {top.number + 1} of {TRIALS} is best: headline {top.score:.4f} with "
    )
    assert EXIT_CODES[ended.verdict] == 0
    assert lines(ended)[-1] == f"next        taxohash pipeline run retrain {flags}"
    page = (tmp_path / "page.html").read_text()
    assert f"Trial {top.number + 1} of {TRIALS} is best" in page
    assert "the loss is no number" in page


def test_the_flags_ask_a_retraining_for_what_was_chosen(
    data: Dataset, plan: str, made: list[int], tmp_path: Path
) -> None:
    before, told, _ = swept(tmp_path, data, plan)
    flags, _ = chosen(tmp_path, data, plan, before, told)
    parser = Parser()
    add_arguments(parser)
    given: argparse.Namespace = parser.parse_args(["retrain", *shlex.split(flags)])
    asked = parse(HasherConfig, parameters(given)["config"])
    assert asked == read(HasherConfig, json.loads((tmp_path / "best.json").read_text()))


def test_the_same_sweep_asks_the_same_and_makes_no_trial_twice(
    data: Dataset, plan: str, made: list[int], tmp_path: Path
) -> None:
    first = swept(tmp_path / "first", data, plan)
    assert swept(tmp_path / "second", data, plan) == first
    assert made == [*range(TRIALS), *range(TRIALS)]
    assert swept(tmp_path / "second", data, plan) == first  # it lies on the claim
    assert len(made) == 2 * TRIALS
    more = swept(
        tmp_path / "second", data, plan, trials=12
    )  # where the fourth is asked after two, not three others
    assert more == swept(tmp_path / "third", data, plan, trials=12)


def test_trials_never_see_the_queries(
    data: Dataset, plan: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = []

    def tried(
        place: Path, number: int, values: dict[str, Any], config: Any, own: Dataset, split: str, metric: str
    ) -> Trial:
        seen.append((split, set(own.splits), own.count("train") + own.count(split)))
        return Trial(number=number, values=values, score=0.5)

    monkeypatch.setattr(sweeping, "_tried", tried)
    swept(tmp_path, data, plan, rounds=1)
    assert seen == [(HELD_OUT, {"train", HELD_OUT}, data.count("train"))] * 2


def test_what_cannot_be_is_one_line(
    data: Dataset,
    plan: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def check(config: str = canonical(HASHER), trials: int = TRIALS, **changed: Any) -> str:
        given: dict[str, Any] = {"search": SEARCH, "metric": "mAP", "seed": 0} | changed
        return refusal(
            capsys,
            lambda: steps.check(data.md5(), config, given["search"], trials, given["metric"], given["seed"]),
        )

    assert check(trials=3) == "error: trials = 3: give a whole number from 4 to 400"
    assert "metric = 'recall': use one of" in check(metric="recall")
    assert "one value is no choice" in check(search=["training.lr=1"])
    assert "bits = 3" in check(config='{"bits": 3}')

    other = make_dataset(tmp_path / "other", train=12, test=6)
    line = refusal(capsys, lambda: steps.hold_out(str(tmp_path / "work"), "run-1", str(other.folder), plan))
    assert f"has md5 {other.md5()}, not {data.md5()}: give the folder of that version" in line
    assert not (tmp_path / "work" / "runs").exists()

    monkeypatch.setattr(
        sweeping,
        "_tried",
        lambda place, number, values, *given: Trial(number=number, values=values, reason="bad"),
    )
    before, told, _ = swept(tmp_path, data, plan)
    capsys.readouterr()
    with pytest.raises(SystemExit):
        chosen(tmp_path, data, plan, before, told)
    assert (
        "error: no trial came to a score, the last because bad: search elsewhere" in capsys.readouterr().out
    )
    assert "No trial came to a score yet" in (tmp_path / "page.html").read_text()
    assert not (tmp_path / "best.json").exists()
