"""The same items in a vector set of Redis 8, quantised to a bit a dimension (BIN)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from redis.commands.vectorset.commands import QuantizationOptions

from benchmarks.common.rows import Row
from benchmarks.common.timing import interleaved, milliseconds, timed
from benchmarks.speed.codestore.data import (
    BITS,
    COLLECTION,
    TAXONOMY,
    Bench,
    Data,
    running,
    spent,
    summary,
)
from services.codestore.follower.follower import Follower
from services.codestore.follower.replica import Replica
from services.codestore.follower.source import Collection
from taxohash.codes import Codes

Search = Callable[[int], list[str]]  # the ids nearest to a query, by its number

BIN = QuantizationOptions.BIN
_K = 10
_QUERIES = 200


def measure(items: int, program: Path) -> list[Row]:
    """A row of each: bytes an item, time to write one, time of a query, share of answers no farther than the true tenth."""
    data, queries = Data(items), _queries(Data(items).codes)
    with running(program) as bench:
        bench.begin()
        empty = bench.used_bytes()
        ours = spent(bench.client, lambda: bench.fill(data))
        filled = bench.used_bytes()
        theirs = spent(bench.client, lambda: _add(bench, data))
        added = bench.used_bytes()
        bench.publish()
        replica = Replica(BITS, bench.store.segments(COLLECTION), TAXONOMY)
        source = Collection(bench.store, COLLECTION, "bench").source(bench.store.pointer(COLLECTION))
        with Follower(source, replica) as follower:
            assert follower.wait_ready(600.0), follower.error
            replica.arrange()
            ways: dict[str, Search] = {
                "taxohash": lambda turn: replica.search(queries[turn : turn + 1], _K).ids,
                "vector set": lambda turn: _nearest(bench, queries[turn]),
            }
            times = interleaved({name: _timed(way) for name, way in ways.items()}, _QUERIES, warm_up=0)
            recalls = {name: _recall(way, queries, data) for name, way in ways.items()}
    return [
        {"measure": "vector sets", "way": name, "items": items, "bytes": size, **summary([written], items),
         "query": milliseconds(times[name]), "recall": recalls[name]}
        for name, written, size in (
            ("taxohash", ours, (filled - empty) / items),
            ("vector set", theirs, (added - filled) / items),
        )
    ]  # fmt: skip


def _queries(codes: Codes) -> Codes:
    """Codes of some items with a bit of each byte turned."""
    rng = np.random.default_rng(1)
    turned = np.uint8(1) << rng.integers(0, 8, (_QUERIES, codes.shape[1]), np.uint8)
    return codes[rng.integers(0, len(codes), _QUERIES)] ^ turned


def _timed(search: Search) -> Callable[[int], list[float]]:
    return lambda turn: [timed(lambda: search(turn)).wall]


def _vectors(codes: Codes) -> list[bytes]:
    """float32 -1 and 1 for each bit."""
    return [row.tobytes() for row in np.unpackbits(codes, axis=1).astype("<f4") * 2 - 1]


def _add(bench: Bench, data: Data) -> None:
    for part in data.batches():
        with bench.client.pipeline(transaction=False) as pipe:
            for item, vector in zip(data.items[part], _vectors(data.codes[part]), strict=True):
                pipe.vset().vadd(
                    "set", vector, item.id, quantization=BIN, attributes={"label": item.labels[0]}
                )
            pipe.execute()


def _nearest(bench: Bench, query: Codes) -> list[str]:
    (vector,) = _vectors(query[None])
    found: Any = bench.client.vset().vsim("set", vector, count=_K)
    return [item_id.decode() for item_id in found]


def _recall(search: Search, queries: Codes, data: Data) -> float:
    """Share of the answers that are no farther than the true k-th."""
    numbers = {item_id: number for number, item_id in enumerate(data.ids)}
    near = 0
    for turn, query in enumerate(queries):
        distances = np.bitwise_count(data.codes ^ query).sum(axis=1)
        found = distances[[numbers[item_id] for item_id in search(turn)]]
        near += int(np.count_nonzero(found <= np.partition(distances, _K - 1)[_K - 1]))
    return near / (_K * len(queries))
