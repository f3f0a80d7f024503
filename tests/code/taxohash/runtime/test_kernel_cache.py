"""Compiled kernels are found again by a copy of the package, and made anew when any of its files changes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import taxohash


def hits(root: Path, cache: Path, before: str = "") -> tuple[int, int]:
    """Cache hits and misses of one kernel in a process that runs `before` and imports the package below `root`."""
    script = (
        f"{before}\n"
        "import numpy as np; from taxohash.hamming.kernels import flat; words = np.arange(4, dtype=np.uint64)\n"
        "assert flat.count_near((0,), words, 0, 4, words[:1], 1) == 1\n"
        "stats = flat.count_near.stats\n"
        "print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found, missed = done.stdout.split()
    return int(found), int(missed)


def copy(root: Path) -> Path:
    shutil.copytree(
        Path(taxohash.__file__).parent, root / "taxohash", ignore=shutil.ignore_patterns("__pycache__")
    )
    return root


@pytest.mark.parametrize("file", ["hamming/kernels/intrinsics.py", "metrics/distances.py"])
def test_a_copy_finds_them_and_a_change_in_another_file_does_not(tmp_path: Path, file: str) -> None:
    first, second = copy(tmp_path / "first"), copy(tmp_path / "second")
    assert hits(first, tmp_path / "cache") == (0, 1)
    assert hits(second, tmp_path / "cache") == (1, 0)
    changed = second / "taxohash" / file
    changed.write_text(changed.read_text() + "\n# changed\n")
    assert hits(second, tmp_path / "cache") == (0, 1)
    assert not list((first / "taxohash").rglob("*.nb[ci]"))


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    root = Path(taxohash.__file__).parents[1]
    assert hits(root, tmp_path) == (0, 1)
    for pattern, left in (("*.nbi", 0), ("*.nbi", 30), ("*.nbc", 100)):
        for file in tmp_path.rglob(pattern):
            file.write_bytes(file.read_bytes()[:left])
        assert hits(root, tmp_path) == (0, 1)
        assert hits(root, tmp_path) == (1, 0)


def test_a_full_disk_costs_only_compiling(tmp_path: Path) -> None:
    root = Path(taxohash.__file__).parents[1]
    full = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    )
    assert hits(root, tmp_path, full) == (0, 1)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
    assert hits(root, tmp_path) == (0, 1)


def test_a_damaged_cache_that_cannot_be_removed_costs_only_compiling(tmp_path: Path) -> None:
    root = Path(taxohash.__file__).parents[1]
    assert hits(root, tmp_path) == (0, 1)
    for file in tmp_path.rglob("*.nbi"):
        file.unlink()
        file.mkdir()  # what even root can neither read as a file nor unlink
    assert hits(root, tmp_path) == (0, 1)
