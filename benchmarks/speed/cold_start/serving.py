"""From the start of `taxohash serve` to the first answer that it is ready, with the generation of a Bento and codes in a
store of its own: the Bento with an empty cache of the user's, and the generation from this checkout.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.common.rows import Row
from benchmarks.common.timing import interleaved
from benchmarks.speed.codestore.data import BATCH, Bench, Data, running
from benchmarks.speed.cold_start.data import clustered
from services.codestore import GenerationRef, Item
from services.processes import stop
from services.retrieval.server import bentos
from taxohash.errors import TaxohashError
from taxohash.generation.manifest import Generation
from taxohash.runtime.sources import ROOT
from taxohash.taxonomy import Taxonomy

LONGEST = 120.0  # seconds until the service is ready
_COLLECTION = "default"


def measure(bento: Path, items: int, rounds: int) -> list[Row]:
    """Rows of the ways to start, with a collection of so many items: seconds, on the wall's clock and of the CPU, the least and the median."""
    home = bento.parents[2]
    model = bentos.packed(bento, home)
    with running() as bench, tempfile.TemporaryDirectory() as empty:
        _publish(bench, model, items)
        ways = {
            "checkout": _starting(bench.url, model, home, None),
            "Bento": _starting(bench.url, bento, home, Path(empty)),
        }
        times = interleaved(ways, rounds)
    rows: list[Row] = []
    for way, spent in times.items():
        walls, cpus = zip(*spent, strict=True)
        rows.append(
            {
                "measure": "ready", "way": way, "items": items, "seconds": [min(walls), float(np.median(walls))],
                "cpu_seconds": [min(cpus), float(np.median(cpus))],
            }
        )  # fmt: skip
    return rows


def _publish(bench: Bench, model: Path, items: int) -> None:
    generation, taxonomy = Generation.load(model), Taxonomy.load(model / "taxonomy.json")
    data, codes = Data(items), clustered(items, generation.bits, len(taxonomy))
    found = [Item(item_id, (number % len(taxonomy),)) for number, item_id in enumerate(data.ids)]
    bench.store.create(_COLLECTION, taxonomy)
    bench.store.begin(_COLLECTION, GenerationRef(generation.id, generation.bits, taxonomy.sha256))
    for part in data.batches(16 * BATCH):
        bench.store.fill(_COLLECTION, generation.id, found[part], codes[part])
    bench.store.seal(_COLLECTION, generation.id)
    bench.store.publish(_COLLECTION, generation.id)


def _starting(
    url: str, target: Path, home: Path, cache: Path | None
) -> Callable[[int], list[tuple[float, float]]]:
    """Starts what serves the target; seconds to the first 200 of /readyz, and of the CPU in all its processes."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TAXOHASH_REDIS_URL": url}
    environment |= {"NUMBA_CACHE_DIR": str(cache)} if cache else {}
    command = [sys.executable, "-m", "services.retrieval.server.main", str(target), "--port", "0"]
    command += ["--bento-home", str(home)]

    def start(_turn: int) -> list[tuple[float, float]]:
        begun = time.monotonic()
        with tempfile.TemporaryFile("w+") as log:
            process = subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
            try:
                assert process.stdout
                line = process.stdout.readline()
                served = re.match(r"serving (http\S+)", line)
                if served and _is_ready(served[1], begun + LONGEST):
                    return [(time.monotonic() - begun, _cpu(process.pid))]
                log.seek(0)
                raise TaxohashError(f"{target} is not served: {line}{log.read()}")
            finally:
                stop(process)

    return start


def _is_ready(url: str, deadline: float) -> bool:
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
                return True
        time.sleep(0.01)
    return False


def _cpu(pid: int) -> float:
    """Seconds that a process and those that it started have had of the CPU."""
    leader = psutil.Process(pid)
    times = [process.cpu_times() for process in (leader, *leader.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))
