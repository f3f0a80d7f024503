"""Small files: their bytes, and an error at once for what is none."""

import os
from pathlib import Path

import pytest

from taxohash.runtime.small_files import read_small


def test_bytes_mode_and_one_byte_more_than_allowed(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"12345")
    file.chmod(0o640)
    link.symlink_to(file)
    data, mode = read_small(link, 3)
    assert (data, mode & 0o777) == (b"1234", 0o640)
    assert read_small(file, 9, links=False)[0] == b"12345"
    with pytest.raises(OSError, match="symbolic links"):
        read_small(link, 9, links=False)


def test_what_is_no_file_is_an_error_and_stays_closed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = len(os.listdir("/proc/self/fd"))
    for file in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="it is no file"):
            read_small(file, 9)
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "none", 9)
    assert len(os.listdir("/proc/self/fd")) == before
