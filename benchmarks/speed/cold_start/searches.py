"""Searches with packed kernels beside kernels that are compiled for this very CPU.

As numba compiles for one CPU a process, each way is a process of its own, which holds the same codes; they take turns,
one call at a time.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.common.rows import Row
from benchmarks.common.timing import interleaved
from taxohash.runtime import cpu
from taxohash.runtime.sources import ROOT

NATIVE, AGAIN = "this CPU", "this CPU, once more"
SIZES = (1, 100)  # queries of a search
TURNS = 12  # of each round
CALLS = 16  # of which a turn takes the least: a call may be interrupted

# Reads how many queries a search has, a line a turn; answers with seconds a query.
PROCESS = """
import json, sys, time
import numpy as np
from taxohash.hamming import HammingIndex
count, bits, clustered, calls = json.loads(sys.argv[1])
draw = np.random.default_rng(0)
codes = draw.integers(0, 256, (count, bits // 8), np.uint8)
if clustered:
    codes = codes[draw.integers(0, 1000, count)] ^ np.packbits(draw.random((count, bits), np.float32) < 0.05, axis=1)
index = HammingIndex.build(codes, bits)
queries = codes[draw.integers(0, count, 4096)]
queries ^= np.packbits(draw.random((4096, bits), np.float32) < 0.05, axis=1)
at = 0
print(index.stats()["layout"], flush=True)
for line in sys.stdin:
    size, spent = int(line), []
    for turn in range(calls):
        asked = queries[at:at + size]
        begun = time.perf_counter()
        index.search(asked)
        spent.append(time.perf_counter() - begun)
    at = (at + size) % (len(queries) - size)
    print(min(spent) / size, flush=True)
"""


def measure(count: int, bits: int, clustered: bool, rounds: int, packed: Path) -> list[Row]:
    """Rows of the targets that this CPU is, and of native kernels once more, which shows what chance does."""
    ways: dict[str, tuple[Path, dict[str, str]]] = {NATIVE: (ROOT, {}), AGAIN: (ROOT, {})}
    for target in cpu.TARGETS:
        if target.flags <= cpu.flags():
            ways[target.name] = packed, target.environment
    least: dict[tuple[int, str], list[float]] = {}
    for _ in range(rounds):  # where its memory lies makes a process faster or slower for all its life
        with ExitStack() as processes:
            asked = {name: _process(processes, *way, count, bits, clustered) for name, way in ways.items()}
            layout = {name: ask("") for name, ask in asked.items()}[NATIVE]
            for size in SIZES:
                times = interleaved({name: _taking(ask, size) for name, ask in asked.items()}, TURNS)
                for name, spent in times.items():
                    least.setdefault((size, name), []).append(min(spent))
    return [
        {
            "measure": "search", "target": name, "codes": count, "bits": bits, "layout": layout, "queries": size,
            "us": 1e6 * min(least[size, name]), "native_us": 1e6 * min(least[size, NATIVE]),
            "ratio_of_least": min(least[size, name]) / min(least[size, NATIVE]),
            "ratio_of_medians": float(np.median(least[size, name]) / np.median(least[size, NATIVE])),
        }
        for size in SIZES
        for name in ways
        if name != NATIVE
    ]  # fmt: skip


def _taking(ask: Callable[[str], str], size: int) -> Callable[[int], list[float]]:
    return lambda _turn: [float(ask(f"{size}\n"))]


def _process(
    processes: ExitStack, packages: Path, settings: dict[str, str], count: int, bits: int, clustered: bool
) -> Callable[[str], str]:
    """Start a process; what asks it: a line to it, unless that is empty, and its next line."""
    environment = os.environ | {"PYTHONPATH": str(packages)} | settings
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, json.dumps([count, bits, clustered, CALLS])],
        env=environment, cwd=packages, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    processes.enter_context(process)

    def ask(line: str) -> str:
        assert process.stdin
        assert process.stdout
        process.stdin.write(line)
        process.stdin.flush()
        return process.stdout.readline().strip()

    return ask
