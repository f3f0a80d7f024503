"""A sweep of a miniature set: what it leaves, that it goes on, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import plain, read, replaced
from taxohash.sweep import run as sweeping
from taxohash.sweep.run import BEST, PAGE, sweep
from taxohash.sweep.trials import Trial
from taxohash.training.config import HasherConfig
from taxohash.training.run import Run
from tests.support.miniature import HASHER

QUICK = replaced(HASHER, {"training.epochs": 1})
SEARCH = ["training.lr=0.01..0.3:log", "training.batch=32,64"]


def made(out: Path, data: Dataset, trials: int = 2, **changed: Any) -> Trial:
    return sweep(
        data.folder, out, changed.pop("config", QUICK), changed.pop("search", SEARCH), trials, **changed
    )


def told(out: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(out.glob("trials/*/trial.json"))]


def test_a_sweep_that_was_interrupted_tries_what_it_would_have_tried(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    top = made(whole, data)
    tried = sweeping._tried

    def interrupted(place: Path, number: int, *given: Any) -> Trial:
        if number == 1:
            raise KeyboardInterrupt
        return tried(place, number, *given)

    with monkeypatch.context() as patch:
        patch.setattr(sweeping, "_tried", interrupted)
        with pytest.raises(KeyboardInterrupt):
            made(cut, data)
    assert len(told(cut)) == 1
    with monkeypatch.context() as patch:
        patch.setattr(
            sweeping,
            "_tried",
            lambda place, number, *given: tried(place, number, *given) if number else 1 / 0,
        )
        again = made(cut, data)  # the first is not done again
    assert (again.values, again.score) == (top.values, top.score)
    assert [one["values"] for one in told(cut)] == [one["values"] for one in told(whole)]

    chosen = read(HasherConfig, json.loads((whole / BEST).read_text()))
    assert chosen == replaced(QUICK.completed(), top.values)
    learned = Run.open(whole / "trials" / f"{top.number:03d}" / "run")
    assert plain(learned.config)["training"]["lr"] == top.values["training.lr"]
    page = (whole / PAGE).read_text()
    assert f"Trial {top.number + 1} of 2 is best" in page
    assert page.count("<tr>") == 3
    assert "data:image/png" in page

    with pytest.raises(
        TaxohashError, match=r'holds a sweep with metric = "headline", not "mAP": choose another --out'
    ):
        made(whole, data, metric="mAP")


def test_a_trial_that_is_refused_is_told_and_the_next_begins(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*given: Any) -> None:
        raise TaxohashError("the loss is no number")

    monkeypatch.setattr("taxohash.training.run.train", failing)
    with pytest.raises(
        TaxohashError, match="no trial came to a score, the last because the loss is no number"
    ):
        made(tmp_path / "out", data)
    assert [one["reason"] for one in told(tmp_path / "out")] == ["the loss is no number"] * 2
    assert "No trial came to a score yet" in (tmp_path / "out" / PAGE).read_text()
    assert not (tmp_path / "out" / BEST).exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"trials": 0}, "trials = 0: give a whole number from 1"),
        ({"metric": "recall"}, "metric = 'recall': use one of headline, mAP, mAHP, nDCG"),
        ({"search": ["training.lr=1"]}, "one value is no choice"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    data: Dataset, tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(TaxohashError, match=message):
        made(tmp_path / "out", data, **changed)
    assert not (tmp_path / "out").exists()


def test_a_sweep_stays_out_of_its_data(data: Dataset) -> None:
    before = sorted(data.folder.iterdir())
    with pytest.raises(TaxohashError, match=r"lies inside the data set .* would change its md5"):
        made(data.folder, data)
    assert sorted(data.folder.iterdir()) == before
