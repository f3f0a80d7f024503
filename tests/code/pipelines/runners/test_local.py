"""What the runner on this machine hands to the pipeline."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.runners import local
from taxohash.runtime.configuration import canonical, parse, plain, read
from taxohash.training.config import HasherConfig
from tests.support.configurations import changed_values, nested
from tests.support.miniature import make_dataset


@pytest.fixture
def parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Filled with the pipeline's parameters when it would run; the data set lies in tmp_path."""
    make_dataset(tmp_path / "data", train=6, test=6)
    found: dict[str, Any] = {}
    done = SimpleNamespace(output=SimpleNamespace(path=str(tmp_path / "evaluated")))
    monkeypatch.setattr("pipelines.retrain.pipeline.retrain", lambda **given: found.update(given) or done)
    monkeypatch.setattr("kfp.local.init", lambda **_: None)
    return found


def run(folder: Path, *arguments: str) -> int:
    return local.main(["--data", str(folder / "data"), "--home", str(folder), *arguments])


def test_the_configuration_is_one_parameter(tmp_path: Path, parameters: dict[str, Any]) -> None:
    assert run(tmp_path) == 0
    assert parameters["config"] == canonical(HasherConfig())
    names = {"dataset_md5", "config", "image", "data", "work", "generations", "collection", "splits"}
    assert set(parameters) == names
    assert parameters["splits"] == ""


def test_every_field_reaches_the_parameter(tmp_path: Path, parameters: dict[str, Any]) -> None:
    wanted = changed_values()
    (tmp_path / "config.json").write_text(json.dumps(nested(wanted)))
    assert (
        run(tmp_path, "--config", str(tmp_path / "config.json"), "--epochs", "5", "--set", "training.clip=2")
        == 0
    )
    found = plain(parse(HasherConfig, parameters["config"]))
    assert found == plain(read(HasherConfig, nested(wanted | {"training.epochs": 5, "training.clip": 2.0})))


def test_the_splits_to_index_are_handed_on(tmp_path: Path, parameters: dict[str, Any]) -> None:
    assert run(tmp_path, "--splits", "train") == 0
    assert parameters["splits"] == "train"


def test_equal_configurations_are_one_parameter(tmp_path: Path, parameters: dict[str, Any]) -> None:
    run(tmp_path, "--lr", ".5", "--option", "vertex=1")
    first = parameters["config"]
    run(tmp_path, "--set", "objective.options.vertex=1", "--set", "training.lr=5e-1", "--seed", "0")
    assert parameters["config"] == first


def test_where_the_report_lies_is_told_at_the_end(
    tmp_path: Path, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(local, "announce", told.append)
    assert run(tmp_path) == 0
    assert told == [f"report: {tmp_path}/evaluated/report.html"]


def test_a_wrong_command_line_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(tmp_path, "--nope")
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "unrecognized arguments: --nope" in line


def test_a_bad_configuration_is_one_line(
    tmp_path: Path, parameters: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--epochs", "2.5") == 2
    assert (
        capsys.readouterr().out == "error: training.epochs = 2.5: give a whole number of at least 1 or null\n"
    )
    assert not parameters


def test_what_stops_it_is_one_line_without_colours(
    tmp_path: Path,
    parameters: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing(**_: Any) -> None:
        raise RuntimeError("Pipeline \x1b[95m'taxohash-retrain'\x1b[0m failed")

    monkeypatch.setattr("pipelines.retrain.pipeline.retrain", failing)
    assert run(tmp_path) == 1
    assert capsys.readouterr().err == "pipeline stopped: Pipeline 'taxohash-retrain' failed\n"


def test_an_interruption_before_the_pipeline_runs_is_one_line_too(
    tmp_path: Path,
    parameters: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kfp.local.init", interrupted)
    assert run(tmp_path) == 130
    assert capsys.readouterr().err == "pipeline interrupted: the same command goes on from here\n"
    assert not parameters


def test_a_refusal_does_not_wait_for_kfp(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['kfp'] = None; from pipelines.runners.local import main; "
        "sys.exit(main(['--data', 'data', '--home', sys.argv[1], '--bits', '3']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "error: bits = 3: give a whole number from 16 to 256\n")
