"""Bytes an item: in every server beside one hash an item, and in a process that serves."""

import gc
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.common.rows import Row, workers
from benchmarks.speed.codestore.data import BITS, COLLECTION, TAXONOMY, Data, running
from benchmarks.speed.codestore.loading import store_hashes
from services.codestore import CodeStore
from services.codestore.follower.follower import Follower
from services.codestore.follower.replica import Replica
from services.codestore.follower.source import Collection
from services.codestore.records import Columns, ItemLabels
from services.codestore.wire import BLOCK

SEGMENTS = 16
_SEARCHES = 100


def measure_servers(items: int, programs: dict[str, Path]) -> list[Row]:
    """A row for each server: what it has allocated for the items, and for as many hashes of one item."""
    data, rows = Data(items), []
    for server, program in programs.items():

        def grown(fill: Callable[..., None], program: Path = program) -> float:
            with running(program) as bench:
                bench.begin()
                before = bench.used_bytes()
                fill(bench, data)
                return (bench.used_bytes() - before) / items

        ours, hashes = grown(lambda bench, data: bench.fill(data)), grown(store_hashes)
        rows.append(
            {
                "measure": "server memory",
                "server": server,
                "items": items,
                "bytes": ours,
                "hash_bytes": hashes,
            }
        )
    return rows


def measure_process(items: int, held: int) -> list[Row]:
    """Rows of a process that follows `items` from a server, and of one that holds `held`, fed by pages of our own."""
    rows = []
    with running() as bench, workers(1) as pool:
        bench.published(Data(items))
        rows.append(_row("followed from a server", items, pool, _followed, bench.url))
    with workers(1) as pool:
        rows.append(_row("held", held, pool, _held, held))
    return rows


def _row(way: str, items: int, pool: Executor, load: Callable[..., Row], argument: str | int) -> Row:
    return {"measure": "process memory", "way": way, "items": items, **pool.submit(load, argument).result()}


def _followed(url: str) -> Row:
    with CodeStore.connect(url) as store:
        collection = Collection(store, COLLECTION, "bench")

        def load(replica: Replica) -> None:
            with Follower(collection.source(store.pointer(COLLECTION)), replica) as follower:
                assert follower.wait_ready(600.0), follower.error

        return _grown(load)


def _held(items: int) -> Row:
    def load(replica: Replica) -> None:
        for page in pages(items):
            replica.load([page])

    return _grown(load)


def _grown(load: Callable[[Replica], None]) -> Row:
    """What a process has grown by when it has loaded a replica, arranged it for speed and searched in it."""
    warm = Replica(BITS, SEGMENTS, TAXONOMY)
    warm.load(pages(SEGMENTS * BLOCK))
    warm.search(np.zeros((1, BITS // 8), np.uint8), within="class 1")
    del warm
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    replica = Replica(BITS, SEGMENTS, TAXONOMY)
    started = time.perf_counter()
    load(replica)
    loaded = time.perf_counter()
    replica.arrange()
    arranged = time.perf_counter()
    queries = np.random.default_rng(1).integers(0, 256, (_SEARCHES, 1, BITS // 8), np.uint8)
    for query in queries:
        assert len(replica.search(query, within="class 1").ids) == 10
    searched = time.perf_counter()
    gc.collect()
    count = len(replica)
    return {
        "bytes": replica.nbytes / count,
        "resident": (process.memory_info().rss - before) / count,
        "peak": (_peak() - before) / count,
        "load_s": loaded - started,
        "arrange_s": arranged - loaded,
        "filtered_search_ms": 1e3 * (searched - arranged) / len(queries),
        "parts": {name: size / count for name, size in replica.stats()["parts"].items()},
    }


def _peak() -> int:
    """The most that this process ever had resident, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def pages(items: int) -> Iterator[Columns]:
    """A page for each segment of a collection of about so many items, as a server would give them."""
    rows = -(-items // (SEGMENTS * BLOCK)) * BLOCK
    for segment in range(SEGMENTS):
        numbers = np.arange(rows) * SEGMENTS + segment
        there = numbers < items
        rng = np.random.default_rng(segment)
        yield Columns(
            segment, 1, 1, rows, np.arange(rows), there, there, there, _ids(numbers, there),
            ItemLabels.of((numbers[there] % len(TAXONOMY)).astype(np.int32), there.astype(np.int64)),
            rng.integers(0, 256, (rows, BITS // 8), np.uint8), {}, rng.integers(0, 64, rows, np.uint8),
        )  # fmt: skip


def _ids(numbers: "np.typing.NDArray[np.int64]", there: "np.typing.NDArray[np.bool_]") -> bytes:
    """Ids of 16 digits, each with its end; nothing but the end where there is no item."""
    digits = numbers[:, None] // 10 ** np.arange(15, -1, -1) % 10 + ord("0")
    ended = np.append(digits, np.full((len(numbers), 1), 0xFF), axis=1).astype(np.uint8)
    kept = np.ones(ended.shape, np.bool_)
    kept[~there, :16] = False
    return ended[kept].tobytes()
