"""A folder that cannot be written is one line of every command that fills one."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines.cli.main import main as pipeline
from pipelines.demo.main import main as demo
from services.retrieval.bento.build import main as build
from services.retrieval.server.main import main as serve
from taxohash.cli.main import main as taxohash
from taxohash.datasets.png import encode_png
from taxohash.runtime.progress import MARK
from tests.support.generations import make_generation


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (pipeline, ["run", "--data", "{data}", "--home", "{out}"]),
        (demo, ["--once", "--data", "{data}", "--home", "{out}"]),
        (build, ["{generation}", "--bento-home", "{out}"]),
        (serve, ["{generation}", "--bento-home", "{out}", "--port", "0"]),
    ],
)
def test_homes_below_a_file_are_refused_in_one_line(
    command: Callable[[list[str]], int],
    arguments: list[str],
    tiny: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAXOHASH_REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    (tmp_path / "file").touch()
    make_generation(tmp_path / "generation")
    places = {"data": tiny, "out": tmp_path / "file" / "out", "generation": tmp_path / "generation"}
    assert command([argument.format(**places) for argument in arguments]) == 2
    told = capsys.readouterr()
    (line,) = [line for line in (told.out + told.err).splitlines() if str(places["out"]) in line]
    assert "choose" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--data", "{data}", "--bits", "16", "--out", "{out}"],
        ["data", "prepare", "folder", "{out}", "--source", "{tree}"],
        ["data", "check", "{data}", "--sheets", "{out}"],
    ],
)
def test_outputs_below_a_file_are_refused_in_one_line(
    arguments: list[str],
    tiny: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "tree" / "label").mkdir(parents=True)
    (tmp_path / "tree" / "label" / "1.png").write_bytes(encode_png(np.zeros((2, 2), np.uint8)))
    places = {"data": tiny, "out": tmp_path / "file" / "out", "tree": tmp_path / "tree"}
    monkeypatch.setattr(sys, "argv", ["taxohash", *(argument.format(**places) for argument in arguments)])
    with pytest.raises(SystemExit) as ended:
        taxohash()
    assert ended.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(MARK)]
    assert str(places["out"]) in line
