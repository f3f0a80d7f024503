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

NATIVE = "this CPU"
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
    """Rows of the targets that this CPU is: seconds a query, and of each turn the ratio to the native kernels."""
    targets = [target for target in cpu.TARGETS if target.flags <= cpu.flags()]
    with ExitStack() as processes:
        asking = {NATIVE: _process(processes, ROOT, {}, count, bits, clustered)}
        for target in targets:
            asking[target.name] = _process(processes, packed, target.environment, count, bits, clustered)
        layout = {name: ask("") for name, ask in asking.items()}[NATIVE]
        rows = []
        for size in (1, 100):

            def taking(ask: Callable[[str], str], size: int = size) -> Callable[[int], list[float]]:
                return lambda _turn: [float(ask(f"{size}\n"))]

            times = interleaved({name: taking(ask) for name, ask in asking.items()}, rounds)
            for target in targets:
                ratio = np.array(times[target.name]) / np.array(times[NATIVE])
                rows.append(
                    {
                        "measure": "search", "target": target.name, "codes": count, "bits": bits, "layout": layout,
                        "queries": size, "native_us": 1e6 * min(times[NATIVE]), "packed_us": 1e6 * min(times[target.name]),
                        "ratio_of_least": min(times[target.name]) / min(times[NATIVE]), "median_ratio": float(np.median(ratio)),
                    }
                )  # fmt: skip
    return rows


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
