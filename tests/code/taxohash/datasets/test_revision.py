"""Sets of git revisions, with git and DVC as they are."""

import subprocess
import sys
from pathlib import Path

import pytest

from taxohash.datasets.cost import cost
from taxohash.datasets.identity import tracked
from taxohash.datasets.revision import opened
from taxohash.datasets.writer import write_split
from taxohash.errors import TaxohashError
from taxohash.runtime.requirements import remedy
from tests.support.tiny import make_tiny, tiny_rows


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two revisions of a set, none of them pushed, though there is a remote."""
    root = tmp_path_factory.mktemp("repository")

    def run(*words: str | Path) -> None:
        subprocess.run(words, cwd=root, check=True, capture_output=True, timeout=120)

    dvc = (sys.executable, "-m", "dvc")
    run("git", "init", "-q")
    run(*dvc, "init", "-q")
    run(*dvc, "config", "core.analytics", "false")
    run(*dvc, "remote", "add", "-q", "-d", "remote", root / "remote")
    for name in ("first", "second"):
        if name == "first":
            make_tiny(root / "data")
        else:
            write_split(root / "data" / "test.parquet", tiny_rows("train")[:3])
        run(*dvc, "add", "-q", "data")
        run("git", "add", ".")
        run("git", "-c", "user.name=n", "-c", "user.email=n@example.org", "commit", "-qm", name)
    return root


@pytest.fixture(autouse=True)
def inside(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)


@pytest.mark.parametrize(
    ("source", "test"), [("HEAD~1", 6), ("HEAD", 3), ("data", 3), ("HEAD~1:data.dvc", 6)]
)
def test_what_a_revision_had_comes_out_of_the_cache(source: str, test: int) -> None:
    with opened(source) as dataset:
        assert dataset.count("test") == test
    assert dataset.folder.exists() == (source == "data")


def test_what_a_revision_cost_is_what_the_cache_grew_by(repository: Path) -> None:
    with opened("HEAD~1") as before, opened("HEAD") as after:
        first, second = tracked(before.folder), tracked(after.folder)
    kept = [file for file in (repository / ".dvc" / "cache").rglob("*") if file.is_file()]
    found = cost(first, second)
    assert sum(file.stat().st_size for file in kept) == cost({}, first).bytes + found.new_bytes
    assert (len(kept), found.new_files) == (cost({}, first).files + 2, 2)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("v9", "'v9' is neither a folder nor a git revision here"),
        ("--all", "is neither a folder nor a git revision here"),
        ("HEAD:birds", r"data set birds of 'HEAD:birds' cannot be had .*: name what is tracked there"),
        ("HEAD~1", r"data set data of 'HEAD~1' cannot be had .*: `dvc push` it"),
    ],
)
def test_what_cannot_be_had_is_one_line(source: str, said: str, repository: Path) -> None:
    if source == "HEAD~1":
        (repository / ".dvc" / "cache").rename(repository / ".dvc" / "lost")
    try:
        with pytest.raises(TaxohashError, match=said) as caught, opened(source):
            pass
    finally:
        if (repository / ".dvc" / "lost").exists():
            (repository / ".dvc" / "lost").rename(repository / ".dvc" / "cache")
    assert "\n" not in str(caught.value)


def test_in_a_folder_of_the_repository(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "below").mkdir()
    monkeypatch.chdir(repository / "below")
    with pytest.raises(TaxohashError, match=r"data set below/data of 'HEAD' .*: name what"), opened("HEAD"):
        pass
    with opened("HEAD:../data") as dataset:
        assert dataset.count("test") == 3


def test_without_dvc_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError) as caught, opened("HEAD"):
        pass
    assert remedy(caught.value) == "dvc is not installed: pip install 'taxohash[data]'"


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(TaxohashError, match="neither a folder nor a git revision"), opened("HEAD"):
        pass
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TaxohashError, match="neither a folder nor a git revision"), opened("HEAD"):
        pass
