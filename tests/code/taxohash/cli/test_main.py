"""The command as a user types it."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from taxohash import __version__
from taxohash.cli.main import app
from taxohash.datasets.named import NAMED
from taxohash.objectives import objectives
from taxohash.runtime.flags import flags
from taxohash.runtime.progress import MARK
from taxohash.training.config import HasherConfig
from tests.support import command
from tests.support.configurations import changed_values, nested, untrained
from tests.support.miniature import TAXONOMY, make_dataset


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def taxohash(*arguments: object, code: int = 0) -> command.Done:
    done = command.run("taxohash.cli", *arguments)
    assert done.returncode == code, done.stderr
    return done


def started(*arguments: object) -> str:
    """What the command prints as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "taxohash.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout


def test_every_field_of_the_configuration_reaches_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taxohash.training.fit.fit", untrained)
    make_dataset(tmp_path / "data", train=12, test=6)
    wanted = changed_values()
    (tmp_path / "some.json").write_text(json.dumps(nested({"training.lr": 0.5, "bits": wanted["bits"]})))
    arguments = [
        "train",
        "--data",
        tmp_path / "data",
        "--out",
        tmp_path / "run",
        "--config",
        tmp_path / "some.json",
    ]
    for flag in flags(HasherConfig):
        value = wanted.get(flag.path)
        if isinstance(value, dict):
            arguments += [part for name in value for part in (flag.written, f"{name}={value[name]}")]
        elif flag.path not in ("bits", "training.seed", ""):
            arguments += [flag.written, json.dumps(value).strip('"')]
    arguments += ["--set", f"training.seed={wanted['training.seed']}"]
    done = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    recorded = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert nested(wanted).items() <= recorded.items()


def test_help_lists_every_field(monkeypatch: pytest.MonkeyPatch) -> None:
    said = taxohash("train", "--help").stdout
    assert all(flag.written in said for flag in flags(HasherConfig))
    assert "longest gradient; the first steps towards random centres can be steep (default 5.0)" in said


def test_help_names_what_can_be_prepared() -> None:
    said = taxohash("data", "prepare", "--help").stdout
    assert all(name in said for name in NAMED)


def test_from_data_to_generation(tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    make_dataset(data)
    said = started(
        "train", "--data", data, "--out", run, "--bits", 16, "--epochs", 1, "--option", "coarse=0.2"
    )
    assert "treecode, 16 bits, 1 epochs" in said
    report = json.loads(taxohash("evaluate", run, "--json").stdout)
    assert set(report["headline"]) == {"mAP", "mAHP", "nDCG"}
    assert (run / "report.html").is_file()
    folder = Path(taxohash("export", run, "--out", tmp_path / "generations").stdout.strip())
    manifest = json.loads((folder / "generation.json").read_text())
    assert manifest["objective"]["config"]["coarse"] == 0.2
    picture = tmp_path / "picture.png"
    picture.write_bytes(next(iter(_images(data))))
    by_run, by_generation = taxohash("encode", run, picture).stdout, started("encode", folder, picture)
    assert by_run == by_generation
    code, name = by_run.split()
    assert len(bytes.fromhex(code)) == 2
    assert name == str(picture)


def _images(folder: Path) -> list[bytes]:
    from taxohash.datasets import Dataset

    return list(Dataset.open(folder).images("test", [0]))


def test_methods_lists_every_objective() -> None:
    said = taxohash("methods").stdout
    assert all(name in said for name in objectives())


WRONG = {
    "no data": (("train", "--data", "{tmp}/none", "--out", "{tmp}/run"), "{tmp}/none"),
    "unknown objective": (
        ("train", "--data", "{tmp}/data", "--out", "{tmp}/run", "--objective", "x"),
        "shpdh",
    ),
    "unknown hyper-parameter": (
        ("train", "--data", "{tmp}/data", "--out", "{tmp}/run", "--option", "warp=9"),
        "warp",
    ),
    "too few bits": (("train", "--data", "{tmp}/data", "--out", "{tmp}/run", "--bits", "0"), "0"),
    "unknown precision": (
        ("train", "--data", "{tmp}/data", "--out", "{tmp}/run", "--precision", "int8"),
        "bfloat16",
    ),
    "half an epoch": (
        ("train", "--data", "{tmp}/data", "--out", "{tmp}/run", "--epochs", "2.5"),
        "training.epochs = 2.5: give a whole number",
    ),
    "unknown field": (
        ("train", "--data", "{tmp}/data", "--out", "{tmp}/run", "--set", "training.warmth=1"),
        "training.warmth is not known",
    ),
    "no configuration": (
        ("train", "--data", "{tmp}/data", "--out", "{tmp}/run", "--config", "{tmp}/none.json"),
        "{tmp}/none.json",
    ),
    "unknown network": (
        ("train", "--data", "{tmp}/data", "--out", "{tmp}/run", "--network", "huge"),
        "efficientnet_lite0",
    ),
    "no run": (("evaluate", "{tmp}/none"), "taxohash train"),
    "not evaluated": (("export", "{tmp}/none"), "{tmp}/none"),
    "no picture": (("encode", "{tmp}/none", "{tmp}/none.png"), "none.png"),
    "nothing to search for": (("search",), "give a picture"),
    "what only a service can": (
        ("search", "{tmp}/none.png", "--generation", "{tmp}/none", "--id", "x"),
        "--generation",
    ),
    "an id for a folder": (("put", "{tmp}/data", "--id", "x"), "--id"),
    "nobody serves": (("search", "{tmp}/data/taxonomy.json", "--url", "http://127.0.0.1:1"), "127.0.0.1:1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_can_be_put_right_is_one_line(case: str, tmp_path: Path) -> None:
    make_dataset(tmp_path / "data", train=12, test=6)
    arguments, named = WRONG[case]
    done = taxohash(*(text.format(tmp=tmp_path) for text in arguments), code=2)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("taxohash: ")
    assert named.format(tmp=tmp_path) in line
    assert not (tmp_path / "run").exists()


def test_the_version_is_told() -> None:
    assert taxohash("--version").stdout == f"taxohash {__version__}\n"


COMMANDS = (
    "",
    "data",
    "data prepare",
    "data check",
    "train",
    "evaluate",
    "encode",
    "export",
    "methods",
    "search",
    "similar",
    "put",
    "delete",
)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_has_a_short_flag_for_help(words: str) -> None:
    said = taxohash(*words.split(), "-h").stdout
    assert "Usage" in said
    assert said == taxohash(*words.split(), "--help").stdout


@pytest.mark.parametrize("words", [(), ("data",)], ids=["", "data"])
def test_without_a_command_help_lists_them(words: tuple[str, ...]) -> None:
    assert "Commands" in taxohash(*words, code=2).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nope",), "No such command 'nope'"),
        (("trian",), "Did you mean 'train'?"),
        (("data", "nope"), "data --help"),
        (("train", "--nope"), "No such option: --nope: see"),
        (("train",), "Missing option '--data'"),
        (("search", "x", "--k", "many"), "Invalid value for '--k'"),
        (("encode", "run", "a\nb.png\x1b[2J"), r"a\nb.png\x1b[2J cannot be read"),
    ],
)
def test_a_wrong_command_line_is_one_line(words: tuple[str, ...], said: str) -> None:
    done = taxohash(*words, code=2)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("taxohash: ")
    assert said in line


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("taxohash.objectives.objectives", interrupted)
    assert taxohash("methods", code=130).stderr == "taxohash: interrupted\n"


def test_names_that_the_terminal_cannot_hold_are_escaped(tmp_path: Path) -> None:
    file = os.fsencode(tmp_path) + b"/\xff.png"
    command = [os.fsencode(sys.executable), b"-m", b"taxohash.cli", b"encode", b"run", file]
    done = subprocess.run(
        command, capture_output=True, timeout=60, env=os.environ | {"PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 2
    assert b"\\udcff.png cannot be read" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_methods_say_which_make_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = taxohash("methods").stdout.splitlines()
    (itq,) = (line for line in lines if line.startswith("│ itq "))
    assert "no network" in itq
    assert "not dqn, hierarchy_embedding, itq, lsh, ssq." in lines[-1]


ODD = replace(
    TAXONOMY,
    name="[bold]odd[/bold] $x$",
    level_names=("_shade", "[red]shape[/red]", "$place$"),
    paths=(("[dark]", "<b>", "_left"), ("[dark]", "<b>", "$r$"), *TAXONOMY.paths[2:]),
)


def test_names_like_markup_survive_the_whole_way(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", train=24, test=12, taxonomy=ODD).folder
    said = taxohash("data", "check", data).stdout
    assert all(text in said for text in ("[bold]odd[/bold] $x$", "[dark]/<b>/_left", "$place$"))
    taxohash("train", "--data", data, "--out", tmp_path / "run", "--bits", 16, "--epochs", 1)
    assert "mAP/[red]shape[/red]" in taxohash("evaluate", tmp_path / "run").stdout
    page = (tmp_path / "run" / "report.html").read_text()
    assert "[dark] / &lt;b&gt; / _left" in page


NUMBERS = ["bits", "size", "epochs", "batch", "lr", "warmup", "weight-decay", "clip", "seed"]
ABSURD = ("20000000000000", "-1", "1e400", "nan", "9" * 40, "", "[1]", "{}", "null", "true", "\u0661", "-0.0")


@pytest.mark.parametrize("name", NUMBERS)
def test_an_absurd_number_is_taken_or_refused_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taxohash.training.fit.fit", untrained)
    make_dataset(tmp_path / "data", train=6, test=6)
    for number, value in enumerate(ABSURD):
        out = tmp_path / str(number)
        done = command.run(
            "taxohash.cli", "train", "--data", tmp_path / "data", "--out", out, f"--{name}", value
        )
        assert done.returncode in (0, 2), (value, done.stderr)
        refused = [line for line in done.stderr.splitlines() if not line.startswith(MARK)]
        assert len(refused) == (done.returncode == 2), (value, done.stderr)


def test_a_file_that_nobody_expected_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden() -> None:
        raise PermissionError(13, "Permission denied", "secret.json")

    monkeypatch.setattr("taxohash.objectives.objectives", forbidden)
    said = taxohash("methods", code=2).stderr
    assert said == "taxohash: secret.json cannot be used (Permission denied): look at its permissions\n"
