"""Put the data set that data.dvc names into data/: what is there, then a DVC remote, then its publisher."""

import re
import subprocess
import sys
from pathlib import Path

from taxohash.datasets import Dataset
from taxohash.datasets.identity import directory_md5
from taxohash.datasets.named import prepare
from taxohash.errors import TaxohashError
from taxohash.runtime.flags import Parser

NAME = "fashion-mnist"


def tracked_md5(file: Path) -> str:
    """The directory md5 in a .dvc file.

    Raises:
        TaxohashError: no such file, or it does not track a folder.
    """
    try:
        match = re.search(r"^- md5: ([0-9a-f]{32}\.dir)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError as error:
        raise TaxohashError(f"{file} cannot be read ({error.strerror}): restore it from git") from None
    if match is None:
        raise TaxohashError(f"{file} names no folder's md5: make it with `dvc add`")
    return match[1]


def obtain(root: Path = Path(), source: str | None = None) -> Dataset:
    """Make `root`/data what `root`/data.dvc names, with as little work as it takes, and open it.

    Raises:
        TaxohashError: data/ is something else, or what could be had is; names both md5s.
    """
    data, wanted = root / "data", tracked_md5(root / "data.dvc")
    if not _matches(data, wanted) and _has_remote(root):
        _dvc(root, "pull", "data.dvc")
    if data.is_dir() and not any(data.iterdir()):
        data.rmdir()
    if not data.exists():
        prepare(NAME, data, source)
    if not _matches(data, wanted):
        raise TaxohashError(
            f"data/ has the md5 {directory_md5(data)} but data.dvc names {wanted}: "
            "move data/ away to get that set again, or accept yours with `dvc add data`"
        )
    return Dataset.open(data)


def _matches(data: Path, wanted: str) -> bool:
    return data.is_dir() and directory_md5(data) == wanted


def _has_remote(root: Path) -> bool:
    """Whether any of DVC's configuration files names a remote; asked only when data/ is not there yet."""
    return bool(_dvc(root, "remote", "list").strip())


def _dvc(root: Path, *arguments: str) -> str:
    """Run dvc without questions; its errors are shown, and what follows decides on the data."""
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(
        command, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False
    )
    return done.stdout


if __name__ == "__main__":
    Parser(prog="python -m pipelines.data", description=__doc__).parse_args()
    try:
        opened = obtain()
    except TaxohashError as problem:
        sys.exit(f"data: {problem}")
    print(f"data/ holds {opened.taxonomy.name}, {' and '.join(opened.splits)}")
