"""What a command line asks a pipeline for."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.runners.parameters import add_arguments, new_name, of_data, parameters
from taxohash.drift.policy import Policy as DriftPolicy
from taxohash.drift.policy import Tolerance
from taxohash.errors import TaxohashError
from taxohash.release.gate import Policy
from taxohash.runtime.configuration import canonical, parse, plain, read
from taxohash.runtime.flags import Parser
from taxohash.training.config import HasherConfig
from tests.support.configurations import changed_values, nested


def given(*words: str) -> argparse.Namespace:
    parser = Parser()
    add_arguments(parser)
    return parser.parse_args(words)


def asked(*words: str) -> dict[str, Any]:
    return parameters(given(*words))


def test_nothing_need_be_chosen() -> None:
    found = asked()
    assert found.pop("run").startswith("retrain-20")
    assert found == {
        "collection": "default",
        "splits": "",
        "shards": 1,
        "policy": canonical(Policy()),
        "config": canonical(HasherConfig()),
    }


def test_drift_is_about_no_data() -> None:
    found = asked("drift", "--policy", "hours=6", "--policy", "tolerance.unlike=0.1")
    assert found.pop("run").startswith("drift-20")
    policy = DriftPolicy(hours=6.0, tolerance=Tolerance(unlike=0.1))
    assert found == {"collection": "default", "policy": canonical(policy)}
    assert not of_data(given("drift"))
    assert of_data(given("reindex", "--revision", "main"))
    for words in (["--revision", "main"], ["--remote", "s3://bucket"]):
        with pytest.raises(TaxohashError, match=f"{words[0]} names data, and drift looks at what is served"):
            of_data(given("drift", *words))


def test_a_sweep_says_what_is_tried() -> None:
    found = asked("sweep")
    assert found.pop("run").startswith("sweep-20")
    assert found == {"collection": "default", "config": canonical(HasherConfig())}
    words = [
        "--search",
        "training.lr=0.01..0.1",
        "--search",
        "bits=16,32",
        "--trials",
        "8",
        "--metric",
        "mAP",
    ]
    found = asked("sweep", *words, "--sweep-seed", "3", "--epochs", "5")
    assert found["search"] == ["training.lr=0.01..0.1", "bits=16,32"]
    assert (found["trials"], found["metric"], found["seed"]) == (8, "mAP", 3)
    assert parse(HasherConfig, found["config"]).training.epochs == 5
    assert of_data(given("sweep"))


def test_every_field_reaches_the_parameter(tmp_path: Path) -> None:
    wanted = changed_values()
    (tmp_path / "config.json").write_text(json.dumps(nested(wanted)))
    found = asked("--config", str(tmp_path / "config.json"), "--epochs", "5", "--set", "training.clip=2")
    config = plain(parse(HasherConfig, found["config"]))
    assert config == plain(read(HasherConfig, nested(wanted | {"training.epochs": 5, "training.clip": 2.0})))


def test_equal_configurations_are_one_parameter() -> None:
    first = asked("--lr", ".5", "--option", "vertex=1")["config"]
    again = asked("--set", "objective.options.vertex=1", "--set", "training.lr=5e-1", "--seed", "0")
    assert again["config"] == first


def test_the_policy_is_a_file_changed_by_fields(tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text('{"confidence": 0.5, "approve": "always"}')
    found = asked("--policy-file", str(tmp_path / "policy.json"), "--policy", "confidence=0.9")["policy"]
    assert parse(Policy, found) == Policy(confidence=0.9, approve="always")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--policy", "confidence"], "write it as NAME=VALUE"),
        (["--policy", "confidence=2"], "confidence = 2"),
        (["--policy", "nothing=2"], "nothing"),
        (["--bits", "3"], "bits = 3: give a whole number from 16 to 256"),
        (["--shards", "0"], "shard"),
        (["--run", "../up"], "run '../up' is no name: use"),
        (["reindex", "--bits", "16"], "--bits is of a training, and reindex trains nothing: leave it out"),
        (["reindex", "--set", "bits=16"], "--set is of a training"),
        (["drift", "--bits", "16"], "--bits is of a training, and drift trains nothing: leave it out"),
        (["drift", "--shards", "2"], "--shards is of an encoding, and drift encodes nothing: leave it out"),
        (["drift", "--splits", "test"], "--splits is of an encoding"),
        (["drift", "--policy", "approve=always"], "approve"),
        (["--trials", "4"], "--trials is of a sweep, and retrain tries nothing: leave it out"),
        (["drift", "--sweep-seed", "4"], "--sweep-seed is of a sweep, and drift tries nothing"),
        (["sweep", "--policy", "approve=always"], "--policy is of a judge, and sweep judges nothing"),
        (["sweep", "--shards", "2"], "--shards is of an encoding, and sweep encodes nothing: leave it out"),
        (["sweep", "--trials", "3"], "trials = 3: give a whole number from 4 to 400"),
        (["sweep", "--metric", "recall"], "metric = 'recall': use one of headline, mAP"),
        (["sweep", "--search", "bits=3,16"], "bits = 3: give a whole number from 16 to 256"),
        (["sweep", "--search", "lr"], "search 'lr': write it as PATH="),
    ],
)
def test_what_cannot_be_is_one_line(words: list[str], said: str) -> None:
    with pytest.raises(TaxohashError, match=said) as refused:
        asked(*words)
    assert "\n" not in str(refused.value)


def test_an_unknown_flag_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        given("--nope")
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "unrecognized arguments: --nope" in line


def test_names_of_runs_differ() -> None:
    names = {new_name("reindex") for _ in range(20)}
    assert len(names) > 15
    assert all(name.startswith("reindex-") for name in names)
