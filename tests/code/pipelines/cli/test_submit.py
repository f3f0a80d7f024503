"""`taxohash pipeline submit`, `status`, `cancel` and `logs` with a Kubeflow."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import compiled
from pipelines.cli.main import main
from pipelines.runners.kubeflow import following
from pipelines.shared import outcomes
from pipelines.shared.placement import Placement
from services.runs import EXIT_CODES, Outcome, Verdict
from tests.support.kubeflow import FakeKubeflow, kubeflow

MD5 = f"{'0' * 32}.dir"
REMOTE = "s3://bucket/dvc"
FIRST = ("submit", "reindex", "--run", "first", "--dataset-md5", MD5, "--remote", REMOTE)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubeflow]:
    found = FakeKubeflow()
    monkeypatch.setattr(following, "POLL_SECONDS", 0.0)
    monkeypatch.setenv("TAXOHASH_GENERATIONS", str(tmp_path))
    with kubeflow(found) as address:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", address)
        yield found


def keep(run: str, verdict: Verdict) -> Outcome:
    outcome = Outcome(
        run=run, pipeline="reindex", collection="default", verdict=verdict, reason="so it is", started=1.0
    )
    outcomes.keep(outcome)
    return outcome


def test_a_run_is_followed_to_its_outcome(fake: FakeKubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = keep("first", Verdict.AWAITING)
    assert main([*FIRST, "--json"]) == EXIT_CODES[Verdict.AWAITING]
    assert Outcome.of_json(capsys.readouterr().out.splitlines()[-1]) == outcome
    (run,) = fake.runs.values()
    given = run.body["runtime_config"]["parameters"]
    assert (given["run"], given["dataset_md5"], given["remote"]) == ("first", MD5, REMOTE)
    assert "image" not in given
    assert run.body["service_account"] == "pipelines"
    assert {"begin", "encode", "build", "publish", "record"} <= set(run.steps)
    # Again: the run that is there is looked at, and none is started.
    assert main([*FIRST]) == EXIT_CODES[Verdict.AWAITING]
    shown = capsys.readouterr()
    assert "AWAITING APPROVAL" in shown.out
    assert len(fake.runs) == 1


def test_a_run_that_is_not_followed_is_seen_by_its_name(
    fake: FakeKubeflow, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXOHASH_IMAGE", "registry.example/taxohash@sha256:1")
    assert main([*FIRST, "--detach"]) == 0
    assert fake.runs["run-0"].body["runtime_config"]["parameters"]["image"].endswith("@sha256:1")
    assert main(["status", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["name"], listed["state"], listed["outcome"]) == ("first", "running", None)
    assert main(["status", "first"]) == 0
    assert "first: running" in capsys.readouterr().out
    fake.logs[fake.runs["run-0"].pod("begin")] = "begun\n"
    assert main(["logs", "first", "begin"]) == 0
    assert capsys.readouterr().out == "begun\n"
    assert main(["logs", "first", "nothing"]) == 2
    assert "run first has no step 'nothing': choose from backfill, begin, " in capsys.readouterr().err
    assert main(["cancel", "first"]) == main(["cancel", "first"]) == 0
    assert capsys.readouterr().out == "run first is told to end\nrun first is not running\n"
    assert main(["status", "first", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"]["verdict"] == "interrupted"


def test_a_failed_step_is_told(fake: FakeKubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    fake.ends = {"pull": "FAILED"}
    assert main([*FIRST]) == EXIT_CODES[Verdict.FAILED]
    shown = capsys.readouterr()
    assert "step pull failed: see its log" in shown.out


def test_ctrl_c_leaves_the_run_and_says_how_to_end_it(
    fake: FakeKubeflow, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.runners.kubeflow.following.follow", interrupted)
    assert main([*FIRST]) == 130
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(
        "run first goes on: end it by `taxohash pipeline cancel first`, or follow it by `submit --run first`"
    )
    assert fake.runs["run-0"].state == "RUNNING"


def test_a_supervisor_that_ends_it_ends_the_run(
    fake: FakeKubeflow, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminated(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    monkeypatch.setattr("pipelines.runners.kubeflow.following.follow", terminated)
    before = signal.getsignal(signal.SIGTERM)
    assert main([*FIRST, "--json"]) == 130
    assert signal.getsignal(signal.SIGTERM) == before
    outcome = Outcome.of_json(capsys.readouterr().out.splitlines()[-1])
    assert (outcome.run, outcome.verdict) == ("first", Verdict.INTERRUPTED)
    assert fake.runs["run-0"].state == "CANCELED"


@pytest.mark.slow  # it compiles the pipeline anew
def test_another_placement_reaches_the_cluster(fake: FakeKubeflow, tmp_path: Path) -> None:
    (tmp_path / "placement.json").write_text('{"queue": "night", "service_account": "runner"}')
    assert main([*FIRST, "--detach", "--placement", str(tmp_path / "placement.json")]) == 0
    body = fake.runs["run-0"].body
    executors = body["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"][
        "executors"
    ]
    assert executors["exec-begin"]["podMetadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "night"
    assert body["service_account"] == "runner"


def test_names_are_told_by_themselves(fake: FakeKubeflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the trigger tells them, of an overlay whose names got a prefix: what is compiled has others."""
    placed: list[Placement] = []
    made = compiled.package("reindex")

    def write(pipeline: str, file: Path, placement: Placement) -> Path:
        placed.append(placement)
        return made

    monkeypatch.setattr(compiled, "write_package", write)
    standing = Placement()
    as_they_are = ["--service-account", standing.service_account, "--claim", standing.claim]
    assert main([*FIRST, "--detach", *as_they_are, "--settings", standing.settings[0].name]) == 0
    assert not placed
    others = ["--service-account", "our-pipelines", "--claim", "our-work", "--settings", "our-settings"]
    assert main([*FIRST, "--run", "second", "--detach", *others]) == 0
    (placement,) = placed
    assert (placement.service_account, placement.claim) == ("our-pipelines", "our-work")
    assert [own.name for own in placement.settings] == ["our-settings"]
    assert placement.settings[0].keys == standing.settings[0].keys
    assert fake.runs["run-1"].body["service_account"] == "our-pipelines"


def test_one_name_is_not_that_of_several_objects(
    fake: FakeKubeflow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "placement.json").write_text('{"settings": []}')
    told = ["--placement", str(tmp_path / "placement.json"), "--settings", "ours"]
    assert main([*FIRST, "--detach", *told]) == 2
    assert "--settings ours: the placement names 0 ConfigMaps, so name it there" in capsys.readouterr().err
    assert not fake.runs


def test_the_retraining_is_taken_as_it_is_compiled(fake: FakeKubeflow) -> None:
    words = (
        "submit",
        "--run",
        "first",
        "--dataset-md5",
        MD5,
        "--data",
        "/work/data",
        "--epochs",
        "3",
        "--detach",
    )
    assert main([*words, "--shards", "4"]) == 0
    given = fake.runs["run-0"].body["runtime_config"]["parameters"]
    assert (given["data"], given["shards"]) == ("/work/data", 4)
    assert json.loads(given["config"])["training"]["epochs"] == 3


def test_drift_is_submitted_without_data(fake: FakeKubeflow) -> None:
    assert main(["submit", "drift", "--run", "night", "--policy", "hours=12", "--detach"]) == 0
    given = fake.runs["run-0"].body["runtime_config"]["parameters"]
    assert not {"data", "dataset_md5", "splits", "config"} & {*given}
    assert json.loads(given["policy"])["hours"] == 12


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["submit", "drift", "--dataset-md5", MD5],
            "--dataset-md5 names data, and drift looks at what is served",
        ),
        (["submit"], "the data are named by --revision or --dataset-md5: give one of the two"),
        (
            ["submit", "--dataset-md5", MD5],
            "the data come from --remote, such as s3://bucket/prefix, or lie in --data",
        ),
        (["submit", "--dataset-md5", "main", "--remote", REMOTE], "'main'"),
        ([*FIRST, "--epochs", "3"], "--epochs is of a training, and reindex trains nothing"),
        ([*FIRST, "--placement", "/no/file"], "/no/file"),
        (["status", "nothing"], "run nothing is not in Kubeflow at http://"),
        (
            ["submit", "--revision", "no-such", "--repository", "/", "--remote", REMOTE],
            "data.dvc at 'no-such'",
        ),
    ],
)
def test_what_cannot_be_is_one_line(
    fake: FakeKubeflow, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"taxohash pipeline {words[0]}: {told}")


def test_a_kubeflow_that_does_not_answer_is_a_failure_not_a_refusal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "http://127.0.0.1:9")
    assert main([*FIRST]) == EXIT_CODES[Verdict.FAILED]  # so that who supervises it tries again
    assert "does not answer" in capsys.readouterr().err


def test_without_a_kubeflow_it_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    assert main([*FIRST]) == 2
    assert "no Kubeflow is named: set KF_PIPELINES_ENDPOINT" in capsys.readouterr().err
