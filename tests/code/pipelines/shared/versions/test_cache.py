import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.shared.versions import cache, pull
from pipelines.shared.versions.remote import Remote, object_name
from taxohash.datasets import Dataset
from taxohash.datasets.identity import directory_md5
from taxohash.datasets.writer import write_split
from taxohash.errors import TaxohashError
from tests.support.dvc_remote import lay_out
from tests.support.tiny import tiny_rows


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return tmp_path / "remote"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def version(tiny: Path, remote: Path) -> str:
    return lay_out(tiny, remote)


def digest_of(file: str, md5: str, remote: Path) -> str:
    """The md5 that a version has for one of its files."""
    listed = json.loads((remote / object_name(md5)).read_bytes())
    digest: str = next(entry["md5"] for entry in listed if entry["relpath"] == file)
    return digest


def left_over(home: Path) -> list[Path]:
    """What is hidden in a home, but its lock."""
    return [path for path in home.rglob(".*") if path.name != ".lock"]


def test_a_version_is_the_folder_that_was_pushed(version: str, tiny: Path, remote: Path, home: Path) -> None:
    folder = pull(version, str(remote), home)
    assert version == directory_md5(tiny) == directory_md5(folder) == Dataset.open(folder).md5()
    assert not left_over(home)


def test_what_is_there_needs_no_remote(version: str, remote: Path, home: Path) -> None:
    folder = pull(version, str(remote), home)
    shutil.rmtree(remote)
    assert pull(version, str(remote), home) == folder
    shutil.rmtree(folder)
    remote.mkdir()
    assert directory_md5(pull(version, str(remote), home)) == version


def test_a_version_that_is_used_again_tells_when(version: str, remote: Path, home: Path) -> None:
    folder = pull(version, str(remote), home)
    os.utime(folder, (1, 1))
    assert pull(version, str(remote), home).stat().st_mtime > 1


def test_versions_share_the_files_they_have_in_common(
    version: str, tiny: Path, remote: Path, home: Path
) -> None:
    first = pull(version, str(remote), home)
    write_split(tiny / "test.parquet", tiny_rows("train")[:3])
    other = lay_out(tiny, remote)
    (remote / object_name(digest_of("train.parquet", version, remote))).unlink()
    second = pull(other, str(remote), home)
    assert (first / "train.parquet").samefile(second / "train.parquet")
    assert (directory_md5(first), directory_md5(second)) == (version, other)


@pytest.mark.parametrize("harm", ["changed", "shortened", "removed", "added", "a file"])
def test_what_is_damaged_here_is_healed(version: str, remote: Path, home: Path, harm: str) -> None:
    folder = pull(version, str(remote), home)
    file = folder / "train.parquet"
    time = file.stat().st_mtime_ns
    file.chmod(0o644)
    if harm == "changed":  # as bad memory would: neither size nor time tell of it
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
        os.utime(file, ns=(time, time))
    elif harm == "shortened":
        os.truncate(file, 100)
    elif harm == "removed":
        file.unlink()
    elif harm == "added":
        (folder / "more").touch()
    else:
        shutil.rmtree(folder)
        folder.touch()
    assert directory_md5(pull(version, str(remote), home)) == version


@pytest.mark.parametrize("harm", ["changed", "removed"])
@pytest.mark.parametrize("what", ["listing", "file"])
def test_what_is_damaged_there_is_refused(
    version: str, remote: Path, home: Path, what: str, harm: str
) -> None:
    md5 = version if what == "listing" else digest_of("test.parquet", version, remote)
    file = remote / object_name(md5)
    if harm == "changed":
        file.write_bytes(file.read_bytes().replace(b"p", b"q", 1))
        said = rf"{md5[2:]} in {remote} is damaged \(its md5 is .*\): remove it there, and `dvc push` it"
    else:
        file.unlink()
        said = rf"{remote} does not have files/md5/{md5[:2]}/{md5[2:]}: `dvc push` it where it was made"
    with pytest.raises(TaxohashError, match=said) as refused:
        pull(version, str(remote), home)
    assert "\n" not in str(refused.value)
    assert not (home / version.removesuffix(".dir")).exists()
    assert not left_over(home)


def test_a_missing_file_is_told_before_any_is_fetched(
    version: str, remote: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (remote / object_name(digest_of("train.parquet", version, remote))).unlink()
    monkeypatch.setattr(Remote, "fetch", None)
    with pytest.raises(TaxohashError, match="does not have"):
        pull(version, str(remote), home)


def test_no_space_is_told_before_any_is_fetched(
    version: str, remote: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_SPARE_BYTES", 1 << 60)
    monkeypatch.setattr(Remote, "fetch", None)
    with pytest.raises(TaxohashError, match=rf"{home} has [\d,]+ MB free, and 0 MB are .*: free some space"):
        pull(version, str(remote), home)


def test_what_was_interrupted_goes_on(
    version: str, remote: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    fetch = Remote.fetch

    def interrupted(self: Remote, md5: str, file: Path, told: Callable[[int], None]) -> None:
        if len(fetched) == 1:
            raise KeyboardInterrupt
        fetched.append(md5)
        fetch(self, md5, file)

    with monkeypatch.context() as patch:
        patch.setattr(Remote, "fetch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pull(version, str(remote), home)
    assert not left_over(home)
    assert not (home / version.removesuffix(".dir")).exists()
    (remote / object_name(fetched[0])).write_bytes(b"it is here already")
    assert directory_md5(pull(version, str(remote), home)) == version


def test_what_a_killed_pull_left_is_removed(version: str, remote: Path, home: Path) -> None:
    (home / ".draft-x").mkdir(parents=True)
    (home / "files" / "md5" / "ab").mkdir(parents=True)
    (home / "files" / "md5" / "ab" / ".cdef.x").touch()
    pull(version, str(remote), home)
    assert not left_over(home)


def test_pulls_at_once(version: str, remote: Path, home: Path) -> None:
    code = "import sys; from pathlib import Path; from pipelines.shared.versions import pull; pull(*sys.argv[1:3], Path(sys.argv[3]))"
    command = [sys.executable, "-c", code, version, str(remote), str(home)]
    pulls = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(timeout=120) for process in pulls] == [0] * 4
    assert directory_md5(pull(version, str(remote), home)) == version
    assert not left_over(home)


def test_without_hard_links_it_is_copied(
    version: str, remote: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refused)
    assert directory_md5(pull(version, str(remote), home)) == version


@pytest.mark.parametrize("md5", ["", "abc", "0" * 32, "../" + "0" * 32 + ".dir", "0" * 32 + ".dir\n"])
def test_what_is_no_version(md5: str, remote: Path, home: Path) -> None:
    with pytest.raises(TaxohashError, match="is no data version: give the md5 in"):
        pull(md5, str(remote), home)
    assert not home.exists()


def test_a_home_that_cannot_be_written(version: str, remote: Path, tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(TaxohashError, match="cannot be written"):
        pull(version, str(remote), tmp_path / "home")


def test_a_file_system_without_locks(
    version: str, remote: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refused)
    with pytest.raises(TaxohashError, match=r"cannot be locked \(No locks available\): choose a folder"):
        pull(version, str(remote), home)
