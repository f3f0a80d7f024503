"""Outcomes of runs beside the generations."""

from pathlib import Path

import pytest

from pipelines.shared import outcomes
from services.runs import Outcome, Verdict

OUTCOME = Outcome(
    run="first",
    pipeline="retrain",
    collection="default",
    verdict=Verdict.REFUSED,
    reason="worse",
    started=1.0,
)


def test_an_outcome_is_found_by_the_name_of_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXOHASH_GENERATIONS", str(tmp_path))
    assert outcomes.kept("first") is None
    outcomes.keep(OUTCOME)
    assert outcomes.kept("first") == OUTCOME
    assert outcomes.kept("../_runs/first") is None


def test_without_a_place_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAXOHASH_GENERATIONS", raising=False)
    outcomes.keep(OUTCOME)
    assert outcomes.kept("first") is None


def test_a_place_that_cannot_be_written_does_not_fail_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(outcomes, "announce", told.append)
    monkeypatch.setenv("TAXOHASH_GENERATIONS", "/no/such/folder/at/all")
    outcomes.keep(OUTCOME)
    assert told[0].startswith("the outcome is not kept beside the generations: ")
