"""Where a node cannot be run, that is said in one line, with the exit code of a skipped test."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster.node import __main__ as command
from tests.cluster.node import cgroups, debian, here
from tests.cluster.node.unavailable import Unavailable


@pytest.fixture
def able(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has all that is needed; its hierarchies of control groups."""
    for name in cgroups.NEEDED:
        (tmp_path / name).mkdir()
        (tmp_path / name / "tasks").touch()
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, 0))
    monkeypatch.setattr(cgroups, "HIERARCHIES", tmp_path)
    monkeypatch.setattr(cgroups.missing, "__defaults__", (tmp_path,))
    return tmp_path


@pytest.mark.usefixtures("able")
def test_here_it_can_be_run() -> None:
    here.check()


@pytest.mark.usefixtures("able")
def test_only_as_root(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert command.main(["up"]) == 77
    assert capsys.readouterr().err == "cluster: root only can start a node\n"


@pytest.mark.usefixtures("able")
def test_only_on_this_kind_of_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(Unavailable, match="this machine is aarch64"):
        here.check()


@pytest.mark.usefixtures("able")
@pytest.mark.parametrize("program", ["dpkg", "unshare", "nsenter"])
def test_only_with_the_programs(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == program else f"/bin/{name}")
    with pytest.raises(Unavailable, match=f"no {program} here"):
        here.check()


def test_only_with_control_groups_of_version_1(able: Path) -> None:
    (able / "memory" / "tasks").unlink()
    with pytest.raises(Unavailable, match="for memory: start Linux with"):
        here.check()


@pytest.mark.usefixtures("able")
def test_only_with_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(words, int("unshare" in words), "", "not permitted\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(Unavailable, match=r"no namespaces of our own: not permitted$"):
        here.check()


def test_only_with_a_mirror_of_debian(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("# deb http://deb.debian.org/debian sid main\n")
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "other.list").write_text("deb https://packages.example.org/apt stable main\n")
    with pytest.raises(Unavailable, match="apt has no mirror of Debian"):
        debian.mirror(tmp_path)
    (parts / "own.sources").write_text(
        "Types: deb\nURIs: http://mirror.example.org/debian/\nSuites: trixie\n"
    )
    assert debian.mirror(tmp_path) == "http://mirror.example.org/debian/"
    (tmp_path / "sources.list").write_text("deb [arch=amd64] http://deb.debian.org/debian trixie main\n")
    assert debian.mirror(tmp_path) == "http://deb.debian.org/debian"


def test_groups_are_below_our_own(tmp_path: Path) -> None:
    for name in ("memory/ours/inner", "pids", "systemd"):
        (tmp_path / name).mkdir(parents=True)
    text = "9:name=systemd:/\n8:pids:/unseen\n4:memory:/ours/inner\n3:rdma:/\n0::/\n"
    expected = [tmp_path / "systemd", tmp_path / "pids", tmp_path / "memory/ours/inner"]
    assert cgroups.own(text, tmp_path) == expected
    assert cgroups.name_of(tmp_path) != cgroups.name_of(tmp_path / "other")


def test_where_no_node_is_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--home", str(tmp_path), "kubectl", "get", "pods"]) == 1
    assert "no node is up in" in capsys.readouterr().err
    (tmp_path / "node.json").write_text('{"init": 1, "since": -1, "groups": [], "programs": "/"}')
    assert command.main(["--home", str(tmp_path), "images"]) == 1
