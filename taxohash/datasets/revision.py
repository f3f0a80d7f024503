"""The data set of a git revision: what its data.dvc named, out of DVC's cache or remote."""

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taxohash.datasets.dataset import Dataset
from taxohash.errors import TaxohashError
from taxohash.runtime.tracked import tracked_at


@contextmanager
def opened(source: str) -> Iterator[Dataset]:
    """A data set by its folder, or by a git revision such as HEAD~1 or v2:sets/birds, while the block runs.

    A folder of that name comes first. Of a revision, DVC's cache is asked before its remote, so that what was never
    pushed is found.

    Raises:
        TaxohashError: neither the one nor the other, or the data of the revision cannot be had.
        ModuleNotFoundError: DVC is not installed.
    """
    if Path(source).is_dir():
        yield Dataset.open(source)
        return
    revision, tracked = tracked_at(source)
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    root, above = _git("rev-parse", "--show-toplevel"), _git("rev-parse", "--show-prefix")
    if not commit or not root or revision.startswith("-"):
        raise TaxohashError(
            f"{source!r} is neither a folder nor a git revision here: give a folder, or one such as HEAD~1"
        )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / Path(tracked).name
        _dvc_get(source, root, f"{above or ''}{tracked}", commit, folder)
        yield Dataset.open(folder)


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError:  # no git here
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _dvc_get(source: str, root: str, tracked: str, commit: str, folder: Path) -> None:
    if importlib.util.find_spec("dvc") is None:
        raise ModuleNotFoundError("No module named 'dvc'", name="dvc")
    command = [sys.executable, "-m", "dvc", "get", root, tracked, "--rev", commit, "--out", str(folder)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not folder.is_dir():
        lines = done.stderr.strip().splitlines() or ["it tracks no folder"]
        reason = next((line for line in lines if line.startswith("ERROR")), lines[-1])
        known = _git("cat-file", "-e", f"{commit}:{os.path.normpath(tracked)}.dvc") is not None
        remedy = (
            "`dvc push` it where it was made" if known else "name what is tracked there as REVISION:FOLDER"
        )
        raise TaxohashError(
            f"data set {tracked} of {source!r} cannot be had ({reason}): {remedy}, or give a folder"
        )
