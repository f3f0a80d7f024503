"""From the start of a process to its first answer, part by part, with codes in a store of its own.

Each round is a fresh process, which imports, follows the store, arranges the codes and searches. In a checkout it finds
the kernels that an earlier process has compiled; in a Bento those that are packed, and the user's cache is empty.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.common.rows import Row
from benchmarks.common.timing import interleaved
from benchmarks.speed.codestore.data import BITS, COLLECTION, TAXONOMY, Data, running
from benchmarks.speed.cold_start.data import clustered
from taxohash.codes import Codes
from taxohash.runtime.sources import ROOT

# Without our packages' names above: they are what is timed.
PROCESS = """
import json, os, resource, sys, time
marks = [("python", time.time())]
def mark(name):
    marks.append((name, time.time()))
import numpy as np
mark("import numpy")
import taxohash.hamming
mark("import taxohash.hamming")
from services.codestore import CodeStore
from services.codestore.follower.follower import Follower
from services.codestore.follower.replica import Replica
from services.codestore.follower.source import Collection
from taxohash.taxonomy import Taxonomy
mark("import services.codestore")
url, collection, bits, paths = json.loads(sys.argv[1])
tree = Taxonomy("bench", tuple(tuple(path) for path in paths))
with CodeStore.connect(url) as store:
    replica = Replica(bits, store.segments(collection), tree)
    mark("connect")
    with Follower(Collection(store, collection, "bench").source(store.pointer(collection)), replica) as follower:
        assert follower.wait_ready(600), follower.error
        mark("load")
        replica.arrange()
        mark("arrange")
        codes = np.zeros((16, bits // 8), np.uint8)
        for queries in (codes[:1], codes):
            for within in ((), paths[0][0]):
                replica.search(queries, within=within)
        replica.search(codes[:1], radius=1)
        mark("first searches")
        replica.search(codes[:1])
        mark("search")
from services.retrieval.bento.compiling import kernels
stats = [kernel.stats for _module, _name, kernel in kernels()]
begun = float(sys.argv[2])
parts = {name: at - before for (name, at), before in zip(marks, [begun, *(at for _, at in marks)])}
print(json.dumps({
    "seconds": {**parts, "in all": marks[-1][1] - begun, "CPU in all": time.process_time()},
    "items": len(replica),
    "layout": replica.stats()["index"]["layout"],
    "found": sum(sum(stat.cache_hits.values()) for stat in stats),
    "compiled": sum(sum(stat.cache_misses.values()) for stat in stats),
    "target": os.environ.get("NUMBA_CPU_NAME", "this CPU") + os.environ.get("NUMBA_CPU_FEATURES", ""),
    "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
}))
"""


@dataclass(frozen=True, eq=False)
class Clustered(Data):
    """Items with codes as they are learned."""

    @cached_property
    def codes(self) -> Codes:
        return clustered(self.count, BITS, len(TAXONOMY))


def process(url: str, packages: Path, cache: Path | None) -> Row:
    """What one fresh process told."""
    environment = (
        os.environ | {"PYTHONPATH": str(packages)} | ({"NUMBA_CACHE_DIR": str(cache)} if cache else {})
    )
    asked = json.dumps([url, COLLECTION, BITS, TAXONOMY.paths])
    done = subprocess.run(
        [sys.executable, "-c", PROCESS, asked, str(time.time())],
        env=environment, cwd=packages, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: Row = json.loads(done.stdout)
    return told


def measure(items: int, rounds: int, packed: Path) -> list[Row]:
    """Rows of the ways to start, with a collection of so many items; seconds are the least and the median of each part."""
    with running() as bench, tempfile.TemporaryDirectory() as empty:
        bench.published(Clustered(items))

        def starting(packages: Path, cache: Path | None) -> Callable[[int], list[Row]]:
            return lambda _turn: [process(bench.url, packages, cache)]

        ways = {"checkout": starting(ROOT, None), "Bento": starting(packed, Path(empty))}
        times = interleaved(ways, rounds)
    return [{"measure": "start", "way": name, **_summary(told)} for name, told in times.items()]


def _summary(told: list[Row]) -> Row:
    """Least and median of the times; what else was told, of the last process."""
    seconds = [one["seconds"] for one in told]
    spread = {
        name: [min(one[name] for one in seconds), float(np.median([one[name] for one in seconds]))]
        for name in seconds[0]
    }
    return {**told[-1], "seconds": spread}
