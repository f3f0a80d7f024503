"""A run is followed to its end, whatever Kubeflow does meanwhile."""

from pathlib import Path

import pytest

from pipelines.runners.kubeflow import following
from pipelines.runners.kubeflow.client import Kubeflow, UnreachableError
from pipelines.runners.kubeflow.following import changes, follow
from pipelines.runners.kubeflow.states import Step
from taxohash.errors import TaxohashError
from tests.support.kubeflow import FakeKubeflow


@pytest.fixture
def run_id(client: Kubeflow, package: Path) -> str:
    return client.start(package, "first", {"dataset_md5": "0" * 32})


def test_each_step_is_told_when_it_begins_and_ends(client: Kubeflow, run_id: str) -> None:
    told: list[str] = []
    assert follow(client, run_id, told.append).state == "SUCCEEDED"
    steps = ("prepare", "train", "record")
    assert told == [line for step in steps for line in (f"{step} ...", f"{step}: 1 min 0 s")]


def test_a_kubeflow_that_is_away_for_a_while_is_waited_for(
    client: Kubeflow, fake: FakeKubeflow, run_id: str
) -> None:
    fake.failing = [503, 502, 500]
    told: list[str] = []
    assert follow(client, run_id, told.append).state == "SUCCEEDED"
    assert len([line for line in told if "the run goes on, and is asked for again" in line]) == 1


def test_the_wait_has_an_end(
    client: Kubeflow, fake: FakeKubeflow, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.failing = [503] * 10
    now = iter(range(0, 10_000, 400))
    waited: list[float] = []
    with pytest.raises(UnreachableError):
        follow(client, run_id, lambda _: None, waited.append, lambda: float(next(now)))
    assert following.PATIENCE_SECONDS == 900.0
    assert len(waited) == 3  # at 400, 800 and 1,200 seconds it was asked again


def test_a_refusal_is_not_waited_out(client: Kubeflow, fake: FakeKubeflow, run_id: str) -> None:
    fake.token = "another"
    with pytest.raises(TaxohashError, match="401"):
        follow(client, run_id, lambda _: None)


def test_only_changes_are_told() -> None:
    known: dict[str, str] = {}
    first = Step("1", "encode", "RUNNING")
    assert list(changes(known, [first, Step("2", "encode", "PENDING")])) == ["encode ..."]
    assert list(changes(known, [first])) == []
    assert list(changes(known, [Step("1", "encode", "FAILED", error="no space")])) == [
        "encode failed: no space"
    ]
    assert list(changes(known, [Step("3", "publish", "SKIPPED")])) == ["publish: skipped"]
