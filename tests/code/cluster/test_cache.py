"""The programs of a node are built once."""

import fcntl
import subprocess
import threading
from pathlib import Path

import pytest

from tests.cluster.node import build, cache
from tests.cluster.node.unavailable import Unavailable
from tests.support.waiting import until


def quiet(_what: str) -> None:
    pass


def builder(folder: Path, _report: cache.Report) -> None:
    (folder / "work").mkdir()
    (folder / "bin").mkdir()
    (folder / "work").rmdir()


@pytest.fixture(autouse=True)
def _any_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "GIGABYTES", 0)


def test_the_key_follows_the_version_and_each_source(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("a")
    other.write_text("b")
    first = cache.key("1.20.2-1+deb", [one, other])
    assert first == cache.key("1.20.2-1+deb", [one, other])
    assert first.startswith("1.20.2_1_deb-")
    assert cache.key("1.20.2-2+deb", [one, other]) != first
    other.write_text("c")
    assert cache.key("1.20.2-1+deb", [one, other]) != first
    assert all(source.is_file() for source in build.SOURCES)


def test_what_is_built_is_kept(tmp_path: Path) -> None:
    made = cache.programs(quiet, tmp_path / "cache", builder)
    assert made.name == cache.key()
    assert [entry.name for entry in made.iterdir()] == ["bin"]
    assert cache.programs(quiet, tmp_path / "cache", lambda *_: pytest.fail("again")) == made


def test_what_is_half_built_is_not_taken(tmp_path: Path) -> None:
    def killed(folder: Path, _report: cache.Report) -> None:
        (folder / "bin").mkdir()
        (folder / "work").mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.programs(quiet, tmp_path, killed)
    assert [entry.name for entry in tmp_path.iterdir()] == ["build.lock"]
    half = tmp_path / f"{cache.key()}.half"  # of one that could not clear up
    (half / "bin").mkdir(parents=True)
    (half / "rest").touch()
    made = cache.programs(quiet, tmp_path, builder)
    assert [entry.name for entry in made.iterdir()] == ["bin"]
    assert not half.exists()


def test_what_does_not_compile_is_said_in_a_line(tmp_path: Path) -> None:
    def broken(_folder: Path, _report: cache.Report) -> None:
        raise subprocess.CalledProcessError(2, ["go", "build"])

    with pytest.raises(Unavailable, match="go build ended with 2"):
        cache.programs(quiet, tmp_path, broken)


def test_without_room_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "GIGABYTES", 10**9)
    with pytest.raises(Unavailable, match="GB free, and 1e\\+09 are needed"):
        cache.programs(quiet, tmp_path, builder)


def test_who_comes_while_it_is_built_waits(tmp_path: Path) -> None:
    said: list[str] = []
    found: list[Path] = []
    with (tmp_path / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: found.append(cache.programs(said.append, tmp_path, builder)))
        second.start()
        until(lambda: said == ["another run builds the node's programs: waiting"])
        assert not found
        builder_of_first = tmp_path / cache.key()
        builder_of_first.mkdir()
    second.join(30)
    assert found == [builder_of_first]
    assert not list(builder_of_first.iterdir())
