"""Every benchmark starts, says what it does, and tells in one line what is wrong."""

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.common.command import choices, numbers
from taxohash.errors import TaxohashError

COMMANDS = (
    "methods", "methods.barz", "methods.fashion_mnist", "methods.finetuned", "methods.posterior_ranking",
    "methods.unseen_classes", "search", "speed.codestore", "speed.evaluation", "speed.serving", "speed.training",
)  # fmt: skip
Started = Callable[..., object]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """Run a benchmark as `python -m` does, in this process, which has torch already; its exit code."""

    def start(name: str, *arguments: str) -> object:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        monkeypatch.delitem(sys.modules, f"benchmarks.{name}", raising=False)
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
        return ended.value.code

    return start


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_the_command(name: str, started: Started, capsys: pytest.CaptureFixture[str]) -> None:
    assert started(name, "--help") == 0
    description, options = capsys.readouterr().out.split("Options:")
    assert f"python -m benchmarks.{name} " in description
    assert "--help" in options


@pytest.mark.parametrize("name", ["methods", "methods.barz", "methods.finetuned", "methods.unseen_classes"])
def test_absent_data_is_one_line(
    name: str,
    started: Started,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert started(name) == 2
    assert capsys.readouterr().err == (
        "benchmark: data set .cache/data/cifar100 is not a folder: "
        "make it with `taxohash data prepare cifar100 .cache/data/cifar100`\n"
    )


def test_a_process_of_its_own_says_how_it_is_called() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.methods", "--workers", "many"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Usage: python -m benchmarks.methods [OPTIONS]" in done.stderr


def test_lists_are_separated_by_commas() -> None:
    assert numbers("16,32") == [16, 32]
    assert choices("b,a", ("a", "b")) == ["b", "a"]
    assert choices("", ("a", "b")) == ["a", "b"]
    with pytest.raises(TaxohashError, match=r"'16,x' is no list of whole numbers"):
        numbers("16,x")
    with pytest.raises(TaxohashError, match=r"'c' is not known here: choose of a, b"):
        choices("a,c", ("a", "b"))
