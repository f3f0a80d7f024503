"""How long a write takes until a follower on the same host finds it."""

import threading
import time
from collections.abc import Collection as Some
from collections.abc import Sequence

import numpy as np

from benchmarks.common.rows import Row, workers
from benchmarks.speed.codestore.data import BITS, COLLECTION, GENERATION, TAXONOMY, Data, running
from services.codestore import CodeStore, Token
from services.codestore.follower.follower import Follower
from services.codestore.follower.replica import Replica
from services.codestore.follower.source import Collection
from services.codestore.records import Columns

RATE = 1000  # writes a second, of one item each
_THREADS = 4

Moment = tuple[float, float, int, int]  # a write: sent and acknowledged at, segment, position


class Watched:
    """A replica that notes when each position of a segment was applied."""

    def __init__(self, replica: Replica) -> None:
        self.applied: list[tuple[int, int, float]] = []  # segment, position, at
        self._replica = replica

    def write(self, columns: Sequence[Columns], reset: Some[int]) -> None:
        self._replica.write(columns, reset)
        now = time.monotonic()
        self.applied += [(part.segment, part.position, now) for part in columns]


def measure(items: int, seconds: float) -> list[Row]:
    """One row: writes to a collection of so many items for so long, and how long each was not seen."""
    with running() as bench, workers(1) as pool:
        bench.published(Data(items))
        replica = Watched(Replica(BITS, bench.store.segments(COLLECTION), TAXONOMY))
        source = Collection(bench.store, COLLECTION, "bench").source(bench.store.pointer(COLLECTION))
        with Follower(source, replica) as follower:
            assert follower.wait_ready(600.0), follower.error
            writes = pool.submit(write_steadily, bench.url, items, seconds).result()
            positions = {segment: position for *_, segment, position in sorted(writes, key=lambda w: w[3])}
            assert follower.wait(Token(source.incarnation[:8], positions), 60.0), follower.error
        applied = np.array(replica.applied)
    sent, acknowledged, segments, written = np.array(writes).T
    seen = np.empty(len(writes))
    for segment in np.unique(segments):
        own = applied[applied[:, 0] == segment]
        here = segments == segment
        seen[here] = own[np.searchsorted(own[:, 1], written[here]), 2]
    after_sent, after_acknowledged = 1e3 * (seen - sent), 1e3 * (seen - acknowledged)
    return [
        {
            "measure": "visible", "items": items, "writes": len(writes), "asked_per_s": RATE,
            "writes_per_s": (len(writes) - 1) / (sent.max() - sent.min()),
            "min_ms": after_sent.min(), "median_ms": np.median(after_sent), "p99_ms": np.percentile(after_sent, 99),
            "max_ms": after_sent.max(), "acknowledged_median_ms": np.median(after_acknowledged),
            "acknowledged_p99_ms": np.percentile(after_acknowledged, 99),
        }
    ]  # fmt: skip


def write_steadily(url: str, items: int, seconds: float) -> list[Moment]:
    """Replace items one at a time, RATE times a second."""
    data, count = Data(items, seed=1), int(RATE * seconds)
    chosen = np.random.default_rng(0).integers(0, items, count).tolist()
    moments: list[Moment] = []
    with CodeStore.connect(url) as store:
        data.items, data.codes  # noqa: B018  # made before the clock runs
        begun = time.monotonic() + 0.1

        def write(lane: int) -> None:
            for number in range(lane, count, _THREADS):
                time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
                i = chosen[number]
                sent = time.monotonic()
                written = store.upsert(COLLECTION, [data.items[i]], {GENERATION: data.codes[i : i + 1]})
                (place,) = written.token.positions.items()
                moments.append((sent, time.monotonic(), *place))

        threads = [threading.Thread(target=write, args=(lane,)) for lane in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return moments
