"""Time and memory of the copy of a generation that a serving process searches; prints JSON. Needs no store.

python -m benchmarks.speed.replica [--items 1000000,10000000] [--rounds 5]
"""

import json
import threading
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.common.command import numbers, start
from benchmarks.common.timing import milliseconds, timed
from services.codestore.follower.replica import Replica
from services.codestore.records import Columns, ItemLabels
from taxohash.runtime.provenance import revision
from taxohash.taxonomy import Taxonomy

BITS, SEGMENTS = 64, 16
TREE = Taxonomy("bench", tuple((f"{label // 50}", f"{label // 5}", f"{label}") for label in range(500)))
NODE = "3"  # a tenth of the items are below it
BATCHES = (1, 100, 1000)  # rows an apply changes
CHANGES = 100  # applies of each size that are timed


def page_of(
    draw: np.random.Generator, segment: int, rows: np.ndarray[Any, np.dtype[np.int64]], total: int
) -> Columns:
    """Items of random 16-byte ids and random labels, codes 3 % of bits from those of their labels."""
    count = len(rows)
    centres = np.random.default_rng(1).integers(0, 256, (len(TREE), BITS // 8), np.uint8)
    labels = draw.integers(0, len(TREE), count).astype(np.int32)
    ids = np.full((count, 17), 0xFF, np.uint8)
    ids[:, :16] = np.frombuffer(b"0123456789abcdef", np.uint8)[draw.integers(0, 16, (count, 16), np.uint8)]
    codes = centres[labels] ^ np.packbits(draw.random((count, BITS), np.float32) < 0.03, axis=1)
    yes = np.ones(count, np.bool_)
    own = ItemLabels.of(labels, np.ones(count, np.int64))
    fingerprints = draw.integers(0, 64, count, np.uint8)
    return Columns(segment, 1, 1, total, rows, yes, yes, yes, ids.tobytes(), own, codes, {}, fingerprints)


def times_of(work: Callable[[], object], rounds: int) -> dict[str, float]:
    """Least and median time of some rounds, after one that warms up."""
    work()
    return milliseconds([timed(work).wall for _ in range(rounds)])


def during_applies(search: Callable[[], object], change: Callable[[], object]) -> dict[str, float]:
    """Times of searches, one after the other, while another thread applies changes without a pause."""
    stop, applied = threading.Event(), 0

    def write() -> None:
        nonlocal applied
        while not stop.is_set():
            change()
            applied += 1

    writer = threading.Thread(target=write)
    writer.start()
    spent = [timed(search).wall for _ in range(1000)]
    stop.set()
    writer.join()
    return {**milliseconds(spent), "p99_ms": 1e3 * float(np.quantile(spent, 0.99)), "applies": applied}


def measure(items: int, rounds: int) -> dict[str, Any]:
    """A collection of `items` items in SEGMENTS segments."""
    draw, total = np.random.default_rng(0), items // SEGMENTS
    pages = [page_of(draw, segment, np.arange(total), total) for segment in range(SEGMENTS)]
    warm = Replica(BITS, SEGMENTS, TREE)
    warm.load([page_of(draw, segment, np.arange(9), 9) for segment in range(SEGMENTS)])

    def load() -> Replica:
        made = Replica(BITS, SEGMENTS, TREE)
        made.load(pages)
        return made

    loads = [timed(load) for _ in range(rounds)]
    replica = loads[-1].result
    query = pages[0].codes[:1]
    flat = times_of(lambda: replica.search(query), 20)
    arranging = timed(replica.arrange).wall
    parts = replica.stats()["parts"]

    def searching(**filters: Any) -> dict[str, float]:
        return times_of(lambda: replica.search(query, **filters), 200)

    def change(rows: int) -> Callable[[], None]:
        """Applies of that many rows, prepared before."""
        made = [
            page_of(draw, i % SEGMENTS, np.sort(draw.choice(total, min(rows, total), replace=False)), total)
            for i in range(CHANGES + 1)
        ]
        waiting = iter(made * 1000)
        return lambda: replica.apply(next(waiting))

    found: dict[str, Any] = {
        "items": items,
        "load": milliseconds([one.wall for one in loads]),
        "load_cpu": milliseconds([one.cpu for one in loads]),
        "arrange_ms": 1e3 * arranging,
        "bytes_per_item": {name: round(size / items, 2) for name, size in parts.items()},
        "bytes_per_item_in_all": round(sum(parts.values()) / items, 2),
        "first_filtered_search_ms": 1e3 * timed(lambda: replica.search(query, within=NODE)).wall,
        "bytes_per_item_of_a_filter": round(replica.stats()["parts"]["filters"] / items, 2),
        "search_flat": flat,
        "search": searching(),
        "search_filtered": searching(within=NODE),
        "ids_to_rows_1000": times_of(lambda: replica.rows_of([f"{i}" for i in range(1000)]), 20),
    }
    for rows in BATCHES:
        found[f"apply_{rows}"] = times_of(change(rows), CHANGES)
    found["search_during_applies_of_100"] = during_applies(lambda: replica.search(query), change(100))
    found["filtered_during_applies_of_100"] = during_applies(
        lambda: replica.search(query, within=NODE), change(100)
    )
    return found


def main(
    items: Annotated[str, typer.Option(help="sizes of the collection, comma-separated")] = "1000000,10000000",
    rounds: Annotated[int, typer.Option(help="loads that are timed")] = 5,
) -> None:
    runs = [measure(count, rounds) for count in numbers(items)]
    print(
        json.dumps(
            {"benchmark": "replica", "bits": BITS, "segments": SEGMENTS, "runs": runs, **revision()}, indent=1
        )
    )


if __name__ == "__main__":
    start(main)
