"""A generation is loaded into a searchable index, beside plain reads of the same bytes and one hash an item."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from benchmarks.common.rows import Row
from benchmarks.common.timing import interleaved
from benchmarks.speed.codestore.data import (
    BATCH,
    BITS,
    COLLECTION,
    GENERATION,
    TAXONOMY,
    Bench,
    Data,
    Spent,
    running,
    spent,
    summary,
)
from services.codestore.follower.follower import Follower
from services.codestore.follower.protocol import Pace
from services.codestore.follower.replica import Replica
from services.codestore.follower.source import Collection
from services.codestore.keys import segment_keys


def measure(items: int, rounds: int) -> list[Row]:
    """Rows of the ways to read all items, in microseconds an item."""
    data = Data(items)
    with running() as bench, ExitStack() as followers:
        bench.published(data)
        blocks = _stored(bench)
        pages = [b"".join(blocks[i : i + 3 * Pace.blocks]) for i in range(0, len(blocks), 3 * Pace.blocks)]
        size = sum(map(len, pages))
        ways: dict[str, Callable[[], int]] = {
            "followed into a searchable index": lambda: _follow(bench, followers),
            "snapshot": lambda: len(bench.store.snapshot(COLLECTION).ids),
            "GET, a value a page": _gets(bench, "page", pages),
            "GET, a value a block's column": _gets(bench, "block", blocks),
            "HGETALL, a hash an item": _hashes(bench, data),
        }
        for name, way in ways.items():
            assert way() in (items, len(pages), len(blocks)), name  # and warms up

        def timed(way: Callable[[], int]) -> Callable[[int], list[Spent]]:
            def once(_turn: int) -> list[Spent]:
                followers.close()  # they follow on until now
                return [spent(bench.client, way)]

            return once

        times = interleaved({name: timed(way) for name, way in ways.items()}, rounds, warm_up=0)
    return [
        {"measure": "load", "way": name, "items": items, "bytes": size, **summary(found, items)}
        for name, found in times.items()
    ]


def _follow(bench: Bench, followers: ExitStack) -> int:
    collection = Collection(bench.store, COLLECTION, "bench")
    replica = Replica(BITS, bench.store.segments(COLLECTION), TAXONOMY)
    source = collection.source(bench.store.pointer(COLLECTION))
    follower = followers.enter_context(Follower(source, replica))
    assert follower.wait_ready(600.0), follower.error
    return len(replica)


def _stored(bench: Bench) -> list[bytes]:
    """The values that hold ids, flags, labels and codes: three a block."""
    values: list[Any] = []
    for segment, tally in enumerate(bench.store.tallies(COLLECTION)):
        for block in range(tally.blocks):
            fields = [f"n{block}", f"c{block}", f"g{GENERATION}:{block}"]
            values += bench.client.hmget(segment_keys(COLLECTION, segment)[0], fields)
    return values


def _gets(bench: Bench, name: str, values: list[bytes]) -> Callable[[], int]:
    keys = [f"{name}:{number}" for number in range(len(values))]
    for key, value in zip(keys, values, strict=True):
        bench.client.set(key, value)

    def read() -> int:
        count = 0
        for first in range(0, len(keys), BATCH):
            with bench.client.pipeline(transaction=False) as pipe:
                for key in keys[first : first + BATCH]:
                    pipe.get(key)
                count += len(pipe.execute())
        return count

    return read


def _hashes(bench: Bench, data: Data) -> Callable[[], int]:
    store_hashes(bench, data)

    def read() -> int:
        count = 0
        for part in data.batches():
            with bench.client.pipeline(transaction=False) as pipe:
                for item_id in data.ids[part]:
                    pipe.hgetall(f"item:{item_id}")
                count += len(pipe.execute())
        return count

    return read


def store_hashes(bench: Bench, data: Data) -> None:
    """Every item as a hash of its own."""
    for part in data.batches():
        with bench.client.pipeline(transaction=False) as pipe:
            for item_id, value in zip(data.ids[part], data.values[part], strict=True):
                pipe.hset(f"item:{item_id}", mapping={"code": value[:8], "label": value[8:]})
            pipe.execute()
