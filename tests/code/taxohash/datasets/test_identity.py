import subprocess
import sys
from pathlib import Path

import pytest

from taxohash.datasets.identity import directory_md5


def test_is_what_dvc_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    data = tmp_path / "data"
    # Names whose order differs between sorting strings and sorting parts, and between bytes and letters.
    for name in ("b.txt", "a/z", "a-b/y", "a.c", "B", "é/ü.bin", "a/a/a"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(name.encode() * 3 + b"\r\n")
    (data / "empty").touch()
    for command in (["init", "--no-scm", "-q"], ["add", "-q", "data"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=tmp_path, check=True, timeout=120)
    assert f"md5: {directory_md5(data)}\n" in (tmp_path / "data.dvc").read_text()


def test_names_and_bytes_count_and_times_do_not(tmp_path: Path) -> None:
    file = tmp_path / "data" / "x"
    file.parent.mkdir()
    file.write_bytes(b"1")
    first = directory_md5(file.parent)
    file.touch()
    assert directory_md5(file.parent) == first
    file.write_bytes(b"2")
    second = directory_md5(file.parent)
    file.rename(file.parent / "y")
    assert len({first, second, directory_md5(file.parent)}) == 3
