"""What came of a run, wherever it can be read."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.runners.kubeflow.client import Kubeflow
from pipelines.runners.kubeflow.ending import cancelled, outcome_of
from pipelines.shared.outcomes import keep, kept
from services.runs import Outcome, Verdict
from tests.support.kubeflow import FakeKubeflow

PUBLISHED = Outcome(
    run="first",
    pipeline="retrain",
    collection="default",
    verdict=Verdict.PUBLISHED,
    reason="better by 0.02",
    started=1.0,
)


@pytest.fixture
def run_id(client: Kubeflow, package: Path) -> str:
    return client.start(package, "first", {"dataset_md5": "0" * 32, "collection": "shop"})


def ended(client: Kubeflow, run_id: str) -> Any:
    for _ in range(4):
        run = client.run(run_id)
    return run


def test_the_outcome_lies_beside_the_generations(
    client: Kubeflow, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXOHASH_GENERATIONS", str(tmp_path))
    keep(PUBLISHED)
    assert kept("first") == PUBLISHED
    assert kept("second") is None
    assert kept("Run of ../first") is None
    assert outcome_of(client, ended(client, run_id)) == PUBLISHED


def test_or_stands_in_the_log_of_the_last_step(client: Kubeflow, fake: FakeKubeflow, run_id: str) -> None:
    keep(PUBLISHED)  # nowhere
    fake.logs[fake.runs[run_id].pod("record")] = f"time=... capturing\n{PUBLISHED.to_json()}\ntime=... done\n"
    assert outcome_of(client, ended(client, run_id)) == PUBLISHED


def test_or_cannot_be_told(client: Kubeflow, fake: FakeKubeflow, run_id: str) -> None:
    fake.logs[fake.runs[run_id].pod("record")] = "nothing\n"
    found = outcome_of(client, ended(client, run_id))
    assert (found.verdict, found.collection, found.pipeline) == (Verdict.FAILED, "shop", "retrain")
    assert "cannot be read: set TAXOHASH_GENERATIONS" in found.reason
    assert found.seconds == {"prepare": 60.0, "train": 60.0, "record": 60.0}


def test_a_place_that_does_not_answer_is_passed_over(
    client: Kubeflow, fake: FakeKubeflow, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXOHASH_GENERATIONS", "/no/such/folder/at/all")
    fake.logs[fake.runs[run_id].pod("record")] = PUBLISHED.to_json()
    assert outcome_of(client, ended(client, run_id)) == PUBLISHED


def test_a_failed_run_says_which_step(client: Kubeflow, fake: FakeKubeflow, package: Path) -> None:
    fake.ends = {"train": "FAILED"}
    run = ended(client, client.start(package, "first", {"dataset_md5": "0" * 32}))
    found = outcome_of(client, run)
    assert (found.verdict, found.reason) == (Verdict.FAILED, "step train failed: see its log")


@pytest.mark.parametrize("state", ["CANCELED", "FAILED"])
def test_a_cancelled_run_is_interrupted(
    client: Kubeflow, fake: FakeKubeflow, run_id: str, state: str
) -> None:
    fake.runs[run_id].when_canceled = state
    assert cancelled(client, client.run(run_id)).verdict == Verdict.INTERRUPTED
    run = client.run(run_id)
    assert run.state == state
    assert outcome_of(client, run).verdict == Verdict.INTERRUPTED


def test_one_that_ended_before_it_was_cancelled_has_its_own_outcome(
    client: Kubeflow, fake: FakeKubeflow, run_id: str
) -> None:
    fake.logs[fake.runs[run_id].pod("record")] = PUBLISHED.to_json()
    assert cancelled(client, ended(client, run_id)) == PUBLISHED
