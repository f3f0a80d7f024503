import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.data import tracked_md5
from taxohash.datasets.identity import directory_md5
from taxohash.errors import TaxohashError


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 3 + b"\r\n")


def test_is_what_dvc_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    data, deep = tmp_path / "data", tmp_path / "deep" / "er" / "data"
    # Names whose order differs between sorting strings and sorting parts, and between bytes and letters.
    write(data, "b.txt", "a/z", "a-b/y", "a.c", "B", "é/ü.bin", "a/a/a", "e\u0301", "line\nbreak")
    write(
        data,
        ".cache/huggingface/x",
        "a/.cache/y",
        "notes.tmp",
        "kept.tmp",
        "spaced",
        ".git/config",
        ".DS_Store",
    )
    write(deep, "a.skip", "x/a.skip", "x/only", "only", "inner/.dvc/config", "inner/z", "build/x")
    (data / "empty" / "deeper").mkdir(parents=True)
    (data / "zero").touch()
    (data / "link").symlink_to("B")
    (data / "linked-folder").symlink_to("a")
    (tmp_path / ".dvcignore").write_text(".cache\n*.tmp\n!kept.tmp\n  spaced  \n# B\n/deep/er/data/only\n")
    (tmp_path / "deep" / ".dvcignore").write_text("*.skip\n!x/*.skip\nbuild/\n")
    places = [str(folder.relative_to(tmp_path)) for folder in (data, deep)]
    for command in (["init", "--no-scm", "-q", "-f"], ["add", "-q", *places]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=tmp_path, check=True, timeout=120)
    for folder in (data, deep):
        assert directory_md5(folder) == tracked_md5(folder.with_suffix(".dvc"))
    monkeypatch.chdir(data)
    assert directory_md5(Path("../data")) == directory_md5(data)


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


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(
        TaxohashError, match=r"link cannot be read .No such file or directory.: mend or remove it"
    ):
        directory_md5(tmp_path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TaxohashError, match="pipe is a pipe, a socket or a device"):
        directory_md5(tmp_path)
