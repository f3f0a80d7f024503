import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import data as module
from pipelines.data import obtain, tracked_md5
from taxohash.datasets.identity import directory_md5
from taxohash.errors import TaxohashError


@pytest.fixture
def project(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose data.dvc names the tiny set, and whose publisher gives it; data/ is not there."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    (root / "data.dvc").write_text(f"outs:\n- md5: {directory_md5(tiny)}\n  hash: md5\n  path: data\n")

    def publish(name: str, out: Path, source: str | None) -> None:
        assert name == "fashion-mnist"
        shutil.copytree(source or tiny, out)

    monkeypatch.setattr(module, "prepare", publish)
    return root


def dvc(root: Path, *arguments: str) -> None:
    environment = dict(os.environ, DVC_NO_ANALYTICS="1")
    subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=root, env=environment, check=True, timeout=120
    )


def test_without_a_remote_it_is_prepared_and_then_left_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert obtain(project).md5() == tracked_md5(project / "data.dvc")
    monkeypatch.setattr(module, "prepare", None)
    assert obtain(project).splits == ("train", "test")


def test_an_empty_folder_is_no_data(project: Path) -> None:
    (project / "data").mkdir()
    assert obtain(project).splits == ("train", "test")


def test_a_remote_comes_first(project: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(tiny, project / "data")
    for command in (
        ["remote", "add", "-d", "there", str(project.parent / "there")],
        ["commit", "-f"],
        ["push"],
    ):
        dvc(project, *command, "-q")
    shutil.rmtree(project / ".dvc" / "cache")
    shutil.rmtree(project / "data")
    monkeypatch.setattr(module, "prepare", None)
    assert obtain(project).md5() == tracked_md5(project / "data.dvc")


def test_an_empty_remote_leads_to_the_publisher(project: Path) -> None:
    dvc(project, "remote", "add", "-q", "-d", "there", str(project.parent / "there"))
    assert obtain(project).md5() == tracked_md5(project / "data.dvc")


def test_other_data_is_kept_and_both_md5s_are_named(project: Path) -> None:
    obtain(project)
    (project / "data" / "mine").touch()
    changed = directory_md5(project / "data")
    with pytest.raises(
        TaxohashError, match=f"{changed} but data.dvc names {tracked_md5(project / 'data.dvc')}"
    ):
        obtain(project)
    assert (project / "data" / "mine").exists()


def test_a_publisher_of_other_bytes_is_found_out(project: Path, tiny: Path) -> None:
    (tiny / "more").touch()
    with pytest.raises(TaxohashError, match="but data"):
        obtain(project, source=str(tiny))


def test_a_file_that_tracks_nothing(tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match="restore it from git"):
        tracked_md5(tmp_path / "data.dvc")
    (tmp_path / "data.dvc").write_text("outs:\n- md5: abc\n")
    with pytest.raises(TaxohashError, match="names no folder's md5"):
        tracked_md5(tmp_path / "data.dvc")
