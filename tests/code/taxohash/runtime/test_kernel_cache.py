"""Compiled kernels are found again by a copy of the package, and made anew when any of its files changes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import taxohash

# Forks a process a line: what numba needs before it compiles anything takes seconds, and is then there already.
FORKING = """
import json, os, sys
import numba, numpy as np
numba.njit(lambda x: x + 1)(1)
for line in sys.stdin:
    root, cache, before = json.loads(line)
    if os.fork() == 0:
        os.environ["NUMBA_CACHE_DIR"] = cache
        sys.path.insert(0, root)
        exec(before)
        from taxohash.hamming.kernels import flat
        words = np.arange(4, dtype=np.uint64)
        assert flat.count_near((0,), words, 0, 4, words[:1], 1) == 1
        stats = flat.count_near.stats
        print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), flush=True)
        os._exit(0)
    if os.wait()[1]:
        print("failed", flush=True)
"""
Hits = Callable[..., tuple[int, int]]


@pytest.fixture(scope="module")
def hits() -> Iterator[Hits]:
    """Cache hits and misses of one kernel in a process that runs `before` and imports the package below `root`."""
    command = [sys.executable, "-c", FORKING]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) as process:
        assert process.stdin
        assert process.stdout
        asked, answers = process.stdin, process.stdout

        def hits(root: Path, cache: Path, before: str = "") -> tuple[int, int]:
            asked.write(json.dumps([str(root), str(cache), before]) + "\n")
            found, missed = answers.readline().split()
            return int(found), int(missed)

        yield hits
        asked.close()


def copy(root: Path) -> Path:
    shutil.copytree(
        Path(taxohash.__file__).parent, root / "taxohash", ignore=shutil.ignore_patterns("__pycache__")
    )
    return root


@pytest.mark.parametrize("file", ["hamming/kernels/intrinsics.py", "metrics/distances.py"])
def test_a_copy_finds_them_and_a_change_in_another_file_does_not(
    hits: Hits, tmp_path: Path, file: str
) -> None:
    first, second = copy(tmp_path / "first"), copy(tmp_path / "second")
    assert hits(first, tmp_path / "cache") == (0, 1)
    assert hits(second, tmp_path / "cache") == (1, 0)
    changed = second / "taxohash" / file
    changed.write_text(changed.read_text() + "\n# changed\n")
    assert hits(second, tmp_path / "cache") == (0, 1)
    assert not list((first / "taxohash").rglob("*.nb[ci]"))


def test_a_damaged_cache_is_made_anew(hits: Hits, tmp_path: Path) -> None:
    root = Path(taxohash.__file__).parents[1]
    assert hits(root, tmp_path) == (0, 1)
    for pattern, left in (("*.nbi", 0), ("*.nbi", 30), ("*.nbc", 100)):
        for file in tmp_path.rglob(pattern):
            file.write_bytes(file.read_bytes()[:left])
        assert hits(root, tmp_path) == (0, 1)
        assert hits(root, tmp_path) == (1, 0)


def test_a_full_disk_costs_only_compiling(hits: Hits, tmp_path: Path) -> None:
    root = Path(taxohash.__file__).parents[1]
    full = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    )
    assert hits(root, tmp_path, full) == (0, 1)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
    assert hits(root, tmp_path) == (0, 1)


def test_a_damaged_cache_that_cannot_be_removed_costs_only_compiling(hits: Hits, tmp_path: Path) -> None:
    root = Path(taxohash.__file__).parents[1]
    assert hits(root, tmp_path) == (0, 1)
    for file in tmp_path.rglob("*.nbi"):
        file.unlink()
        file.mkdir()  # what even root can neither read as a file nor unlink
    assert hits(root, tmp_path) == (0, 1)
