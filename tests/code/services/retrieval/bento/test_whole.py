"""A Bento put together with its generation, of folders as BentoML leaves them."""

from pathlib import Path

import pytest

from services.retrieval.bento import whole
from services.retrieval.server import bentos

NAME = "taxohash-retrieval"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of BentoML with one Bento, 1a, and its generation, 7f, beside another one."""
    files = {
        f"bentos/{NAME}/latest": "1a",
        f"bentos/{NAME}/1a/bento.yaml": "models: [{tag: 'taxohash-generation:7f'}]",
        f"bentos/{NAME}/1a/src/services/code.py": "",
        "models/taxohash-generation/7f/generation.json": "{}",
        "models/taxohash-generation/8e/generation.json": "{}",
    }
    for name, text in files.items():
        file = tmp_path / "home" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "home"


def test_it_has_the_bento_and_its_generation_alone(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "whole"
    assert whole.main([f"{NAME}:latest", str(out), "--bento-home", str(home)]) == 0
    assert capsys.readouterr().out == "1a\n"
    assert {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} == {
        "bento.yaml",
        "src/services/code.py",
        "models/taxohash-generation/7f/generation.json",
    }
    # It is served as it lies: without a home of BentoML.
    assert bentos.packed(out, tmp_path / "nowhere") == out / "models" / "taxohash-generation" / "7f"


@pytest.mark.parametrize("tag", [f"{NAME}:2b", "nothing", "../..:1a"])
def test_without_such_a_bento_nothing_is_made(
    home: Path, tmp_path: Path, tag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert whole.main([tag, str(tmp_path / "whole"), "--bento-home", str(home)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"whole: Bento '{tag}' is not in ")
    assert not (tmp_path / "whole").exists()


def test_what_is_there_is_left_as_it_is(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "mine").touch()
    assert whole.main([f"{NAME}:1a", str(tmp_path / "whole"), "--bento-home", str(home)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "whole").iterdir()] == ["mine"]
