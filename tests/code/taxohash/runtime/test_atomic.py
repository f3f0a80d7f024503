"""Files and folders are whole or absent, whatever happens while they are written."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import (
    drafting,
    new_folder,
    place,
    read_json,
    replacing,
    writable,
    write_files,
    write_json,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_folder(out: Path) -> None:
    with new_folder(out) as draft:
        (draft / "part").write_text("text")


def use_folder(out: Path) -> None:
    writable(out)


WRITERS: list[Callable[[Path], None]] = [
    lambda path: write_text(path, "text"),
    lambda path: write_json(path, {"a": 1}),
    write_folder,
]


@pytest.mark.parametrize("write", WRITERS)
def test_parents_are_made_and_nothing_else_is_left(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "a" / "b" / "out")
    assert names(tmp_path / "a" / "b") == ["out"]


def test_a_file_takes_the_place_of_an_older_one_only_when_the_block_ends_well(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_text(file, "old")
    with suppress(KeyboardInterrupt), replacing(file) as draft:
        draft.write_text("half")
        raise KeyboardInterrupt
    assert (file.read_text(), names(tmp_path)) == ("old", ["file"])
    write_text(file, "new")
    assert (file.read_text(), names(tmp_path)) == ("new", ["file"])
    assert file.stat().st_mode & 0o777 == 0o644
    write_text(file, "secret", mode=0o600)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_folder_gets_its_name_only_when_the_block_ends_well(tmp_path: Path) -> None:
    with suppress(KeyboardInterrupt), new_folder(tmp_path / "out") as draft:
        (draft / "half").touch()
        raise KeyboardInterrupt
    assert names(tmp_path) == []
    (tmp_path / "out").mkdir()  # an empty one is no obstacle
    write_folder(tmp_path / "out")
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
    with pytest.raises(TaxohashError, match="out exists already"):
        write_folder(tmp_path / "out")


def test_a_draft_is_placed_by_a_name_found_out_later_and_takes_an_older_ones_place(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with drafting(tmp_path) as draft:
            (draft / "file").write_text(text)
            place(draft, tmp_path / "named")
        assert (tmp_path / "named" / "file").read_text() == text
        assert names(tmp_path) == ["named"]
    with drafting(tmp_path):
        pass
    assert names(tmp_path) == ["named"]


@pytest.mark.parametrize("write", [*WRITERS, use_folder])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, write: Callable[[Path], None]) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    with pytest.raises(TaxohashError, match=f"^{out} cannot be written .*: choose a place") as caught:
        write(out)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("write", WRITERS)
def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, write: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TaxohashError, match=r"out cannot be written \(No space left.*: free some space"):
        write(tmp_path / "out")
    assert names(tmp_path) == []


def test_what_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("{")
    for file in ("file", "absent", "."):
        with pytest.raises(TaxohashError, match="make it again"):
            read_json(tmp_path / file, "make it again")


def test_files_are_written_together_and_nothing_is_left_of_those_that_cannot_be(tmp_path: Path) -> None:
    files = {tmp_path / "a" / f"{number}": bytes([number]) for number in range(20)}
    write_files(files)
    write_files({next(iter(files)): b"new"})
    assert {path: path.read_bytes() for path in files} == {**files, tmp_path / "a" / "0": b"new"}
    (tmp_path / "b").write_text("a file")
    with pytest.raises(TaxohashError, match="b"):
        write_files({tmp_path / "c": b"c", tmp_path / "b" / "d": b"d"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
