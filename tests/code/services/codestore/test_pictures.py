"""The store of pictures in a folder and in memory: addresses, limits, and what a crash leaves. On S3: tests/system."""

import errno
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.codestore.connection import StoreUnavailableError
from services.codestore.pictures import DAY, MAX_PICTURE, Pictures, digest_of, users_folder
from taxohash.errors import TaxohashError


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures.open(tmp_path / "pictures")


def file_of(folder: Path, name: str) -> Path:
    return folder / name[:2] / name[2:]


def test_a_picture_lies_under_its_sha256_two_digits_a_folder_and_nothing_else_is_left(tmp_path: Path) -> None:
    name = Pictures.open(tmp_path).put(b"a picture")
    found = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")]
    assert sorted(found) == sorted([name[:2], f"{name[:2]}/{name[2:]}"])
    assert file_of(tmp_path, name).read_bytes() == b"a picture"


@pytest.mark.parametrize("data", [b"", None, "text", bytes(11), bytearray(b"x")])
def test_what_is_no_picture_is_refused_before_anything_is_written(tmp_path: Path, data: object) -> None:
    store = Pictures.open(tmp_path, limit=10)
    with pytest.raises(TaxohashError, match=r"a picture has (no bytes|11 bytes: keep it to 10)"):
        store.put(data)  # type: ignore[arg-type]
    with pytest.raises(TaxohashError):
        store.put_many([b"before", data])  # type: ignore[list-item]
    assert list(store.digests()) == []
    assert len(store.get(store.put(bytes(10)))) == 10 < MAX_PICTURE


@pytest.mark.parametrize(
    "name", ["", "ab", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n", None, "é" * 64]
)
def test_what_is_no_name_is_refused(pictures: Pictures, name: str) -> None:
    for call in (pictures.get, pictures.has, pictures.delete):
        with pytest.raises(TaxohashError, match="is no name of a picture: give 64 hexadecimal digits"):
            call(name)


# -- addresses -------------------------------------------------------------------------------------


def test_the_folder_is_among_the_users_data_unless_one_is_named(tmp_path: Path) -> None:
    own = Pictures.from_environment({"XDG_DATA_HOME": str(tmp_path)})
    assert own.address == str(tmp_path / "taxohash" / "pictures")
    assert own.get(own.put(b"x")) == b"x"
    assert users_folder({}) == Path.home() / ".local" / "share" / "taxohash" / "pictures"
    assert Pictures.from_environment({"TAXOHASH_PICTURES": f" {tmp_path} "}).address == str(tmp_path)
    named = Pictures.from_environment({"TAXOHASH_PICTURES": "S3://bucket/a//b/"})
    assert named.address == "s3://bucket/a/b"


def test_one_folder_has_several_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "a b"
    name = Pictures.open("a b").put(b"x")
    for address in (folder, str(folder), f"file://{tmp_path}/a%20b", f"FILE://localhost{tmp_path}/a%20b/"):
        assert Pictures.open(address).get(name) == b"x"


@pytest.mark.parametrize(
    "address",
    [
        "", " ", "http://host/x", "s3:bucket", "s3://", "s3:///key", "s3://b/../c", "s3://b/%2e%2e/c", "s3://b?versionId=1",
        "s3://b#x", "gs://bucket", "simplecache::s3://bucket", "memory:", "memory://", "file://host/x", "file:x", "s3://[", "a\0b",
        "s3://b/%00",
    ],
)  # fmt: skip
def test_what_is_no_address_is_one_line_that_names_the_forms(address: str) -> None:
    with pytest.raises(TaxohashError, match="is no address of pictures: give a folder, s3://") as caught:
        Pictures.open(address)
    assert "\n" not in str(caught.value)


def test_keys_in_an_address_are_refused_and_not_shown() -> None:
    for address in (
        "s3://someone:hush@bucket/x",
        "s3://someone:hu/hush@bucket",
        "s3://someone%3Ahush@bucket?x=hush@",
    ):
        with pytest.raises(TaxohashError) as caught:
            Pictures.open(address)
        assert "hush" not in str(caught.value)
        assert "someone" not in str(caught.value)


def test_a_folder_that_cannot_be_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for address, message in (
        (tmp_path / "file", "is a file: give a folder"),
        (tmp_path / "file" / "below", "no folder .*file to keep pictures in|Not a directory"),
        (tmp_path / "a" / "b", "no folder .*/a to keep pictures in: make it first"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(TaxohashError, match=message):
            Pictures.open(address)


# -- what a folder can refuse ----------------------------------------------------------------------


def test_a_full_disk_is_one_line_and_leaves_nothing(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    pictures.put(b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreUnavailableError, match=r"No space left on device.*free some space"):
        pictures.put(b"x")
    assert list(pictures.digests()) == [digest_of(b"before")]
    assert not list((tmp_path / "pictures").glob("*/.*"))


def test_a_write_that_is_cut_by_a_limit_is_one_line(tmp_path: Path) -> None:
    code = (
        "import resource; from services.codestore.pictures import Pictures\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"store = Pictures.open({str(tmp_path)!r})\n"
        "try: store.put(bytes(2000))\n"
        "except ValueError as error: print(error, list(store.digests()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"pictures: .*\(File too large\): free some space \[\]\n", done.stdout)


def test_a_folder_where_a_picture_should_be_is_told(pictures: Pictures, tmp_path: Path) -> None:
    name = digest_of(b"x")
    file_of(tmp_path / "pictures", name).mkdir(parents=True)
    with pytest.raises(StoreUnavailableError, match="Is a directory"):
        pictures.get(name)
    assert not pictures.has(name)
    assert list(pictures.digests()) == []


# -- sweeping --------------------------------------------------------------------------------------


def age(file: Path, seconds: float) -> None:
    os.utime(file, (time.time() - seconds, time.time() - seconds))


def test_what_is_younger_than_the_grace_time_is_spared(pictures: Pictures, tmp_path: Path) -> None:
    old, young = pictures.put_many([b"old", b"young"])
    age(file_of(tmp_path / "pictures", old), DAY + 60)
    age(file_of(tmp_path / "pictures", young), DAY - 60)
    assert pictures.unused(set()) == [old]
    assert pictures.sweep(set()) == 1
    assert list(pictures.digests()) == [young]


def test_a_picture_that_is_put_again_is_young_again(pictures: Pictures, tmp_path: Path) -> None:
    name = pictures.put(b"x")
    age(file_of(tmp_path / "pictures", name), 2 * DAY)
    pictures.put(b"x")
    assert pictures.sweep(set()) == 0


def test_a_picture_that_is_put_again_while_the_sweep_runs_is_spared(
    pictures: Pictures, tmp_path: Path
) -> None:
    name = pictures.put(b"x")
    age(file_of(tmp_path / "pictures", name), 2 * DAY)

    def used() -> Iterator[str]:
        """Read after the old picture was listed."""
        pictures.put(b"x")
        yield from ()

    assert pictures.sweep(used()) == 0
    assert pictures.get(name) == b"x"


def test_drafts_of_writers_that_were_killed_are_swept_when_they_are_old(
    pictures: Pictures, tmp_path: Path
) -> None:
    folder = file_of(tmp_path / "pictures", pictures.put(b"x")).parent
    old, young, foreign = folder / ".old.x", folder / ".young.x", tmp_path / "pictures" / ".git"
    for file in (old, young, foreign):
        file.touch()
    age(old, 2 * DAY)
    age(foreign, 2 * DAY)
    assert pictures.sweep({digest_of(b"x")}) == 0
    assert (old.exists(), young.exists(), foreign.exists()) == (False, True, True)
