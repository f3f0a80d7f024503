import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from dvc.repo import Repo

from pipelines import data as module
from pipelines.data import obtain, tracked_md5
from taxohash.datasets.identity import directory_md5
from taxohash.errors import TaxohashError


@pytest.fixture
def project(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a project, without git, whose data.dvc names the tiny set, which its publisher gives; data/ is not there."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    monkeypatch.setattr(module, "NAME_MD5", directory_md5(tiny))
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


def push(root: Path, data: Path) -> None:
    """Name these data in data.dvc and put them into a remote beside the project; nothing of them stays in it."""
    shutil.copytree(data, root / "data")
    configure_remote(root)
    with (
        warnings.catch_warnings(action="ignore"),  # DVC's own
        Repo(str(root), config={"core": {"no_scm": True}}) as repo,
    ):
        repo.add([str(root / "data")])
        repo.push()
    for left in (root / ".dvc" / "cache", root / "data"):
        shutil.rmtree(left)


def configure_remote(root: Path) -> None:
    there = root.parent / "there"
    (root / ".dvc" / "config").write_text(
        f"[core]\n    remote = there\n['remote \"there\"']\n    url = {there}\n"
    )


@pytest.mark.parametrize("git", [False, True])
def test_a_remote_comes_first_with_git_and_without(
    project: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, git: bool
) -> None:
    push(project, tiny)
    monkeypatch.setattr(module, "prepare", None)
    if git:
        subprocess.run(["git", "init", "-q", str(project)], check=True)
    assert obtain(project).md5() == tracked_md5(project / "data.dvc")
    assert not (project / ".dvc" / "config.local").exists()


def test_another_version_that_dvc_keeps_makes_way(project: Path, tiny: Path) -> None:
    push(project, tiny)
    first = (project / "data.dvc").read_text()
    (tiny / "more").write_text("more")
    push(project, tiny)
    assert obtain(project).md5() == directory_md5(tiny)
    (project / "data.dvc").write_text(first)
    assert obtain(project).md5() == tracked_md5(project / "data.dvc") != directory_md5(tiny)


def test_ones_own_data_stay_whatever_a_remote_has(
    project: Path, tiny: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    push(project, tiny)
    shutil.copytree(tiny, project / "data")
    (project / "data" / "mine").write_text("mine")
    before = directory_md5(project / "data")
    with pytest.raises(TaxohashError, match="makes it name yours"):
        obtain(project)
    assert directory_md5(project / "data") == before
    assert capfd.readouterr() == ("", "")  # DVC has proposed nothing either


def test_the_advice_for_ones_own_data_helps(project: Path) -> None:
    (project / ".dvcignore").write_text(".cache\n")
    obtain(project)
    (project / "data" / ".cache" / "huggingface").mkdir(parents=True)
    (project / "data" / ".cache" / "huggingface" / "x").write_text("left out")
    obtain(project)
    (project / "data" / "mine").write_text("mine")
    with pytest.raises(TaxohashError) as refused:
        obtain(project)
    said = str(refused.value)
    assert "move" not in said
    assert "fashion" not in said
    commands = re.findall(r"`dvc ([^`]*)`", said)
    assert commands == ["config --local core.no_scm true", "add data"]
    for command in commands:
        dvc(project, *command.split())
    assert obtain(project).md5() == tracked_md5(project / "data.dvc")


def test_with_git_the_advice_is_one_command(project: Path) -> None:
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    obtain(project)
    (project / "data" / "mine").write_text("mine")
    with pytest.raises(TaxohashError) as refused:
        obtain(project)
    assert re.findall(r"`([^`]*)`", str(refused.value)) == ["dvc add data"]
    dvc(project, "add", "data")
    assert (project / "data" / "mine").exists()
    obtain(project)


def test_another_set_is_never_made_in_place_of_ones_own(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NAME_MD5", "0" * 32 + ".dir")
    monkeypatch.setattr(module, "prepare", None)
    wanted = tracked_md5(project / "data.dvc")
    with pytest.raises(
        TaxohashError, match=f"names {wanted}, but no DVC remote is configured.*`dvc remote add -d"
    ):
        obtain(project)
    configure_remote(project)
    with pytest.raises(TaxohashError, match=f"names {wanted}, which the DVC remote did not give"):
        obtain(project)
    assert not (project / "data").exists()


def test_the_set_that_is_made_is_the_one_this_project_names() -> None:
    assert tracked_md5(Path(module.__file__).parents[1] / "data.dvc") == module.NAME_MD5


def test_an_empty_remote_leads_to_the_publisher(project: Path) -> None:
    configure_remote(project)
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
    (tmp_path / "data.dvc").write_bytes(b"\xff\xfe")
    with pytest.raises(TaxohashError, match="is not UTF-8 text: restore it"):
        tracked_md5(tmp_path / "data.dvc")
    ours, theirs = (f"- md5: {letter * 32}.dir\n" for letter in "ab")
    (tmp_path / "data.dvc").write_text(f"outs:\n<<<<<<< ours\n{ours}=======\n{theirs}>>>>>>> theirs\n")
    with pytest.raises(TaxohashError, match=r"names a{32}.dir and b{32}.dir: keep the one"):
        tracked_md5(tmp_path / "data.dvc")
    (tmp_path / "data.dvc").write_text("outs:\n- md5: abc\n")
    with pytest.raises(TaxohashError, match="names no folder's md5"):
        tracked_md5(tmp_path / "data.dvc")
