"""A collection whose items are all replaced, again and again, beside one that was just made with the last of them."""

import gc
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.common.rows import Row
from benchmarks.speed.codestore.data import BITS, COLLECTION, GENERATION, TAXONOMY, Bench, Data, running
from services.codestore import CodeStore, GenerationRef, Token
from services.codestore.follower.replica import Replica
from services.codestore.follower.source import Collection
from services.codestore.follower.swap import Serving, Swap

TURNOVERS = 10


def measure(items: int) -> list[Row]:
    """A row for each way to replace all items."""
    ways: dict[str, tuple[Callable[[Bench, Data, int], None], int]] = {
        "API": (_by_api, 1),
        "data versions": (_by_version, 2),
    }
    rows = []
    for name, (replace, kept) in ways.items():
        fresh = _sizes(replace, [_data(items, turn) for turn in range(TURNOVERS - kept + 1, TURNOVERS + 1)])
        worn = _sizes(replace, [_data(items, turn) for turn in range(TURNOVERS + 1)])
        rows.append(
            {
                "measure": "turnover",
                "way": name,
                "items": items,
                "turnovers": TURNOVERS,
                "fresh": fresh,
                "worn": worn,
            }
        )
    return rows


def _data(items: int, turn: int) -> Data:
    return Data(items, f"{turn:02d}", turn)


def _by_api(bench: Bench, data: Data, turn: int) -> None:
    """In batches, as many items go as come."""
    if turn == 0:
        bench.begin()
        bench.upsert(data)
        bench.publish()
        return
    before = Data(data.count, f"{int(data.name) - 1:02d}")
    for part in data.batches():
        bench.store.delete(COLLECTION, before.ids[part])
        bench.store.upsert(COLLECTION, data.items[part], {GENERATION: data.codes[part]})
    bench.store.gc(COLLECTION)


def _by_version(bench: Bench, data: Data, turn: int) -> None:
    """A data version has nothing of the one before; `gc` removes what no generation has any more."""
    bench.published(data, f"v{turn}")
    bench.store.gc(COLLECTION)


def _sizes(replace: Callable[[Bench, Data, int], None], versions: list[Data]) -> dict[str, float]:
    """Bytes an item after all versions: in the server, and in a process that has followed from the first."""
    with running() as bench:
        before = bench.used_bytes()
        replace(bench, versions[0], 0)
        with _follower(bench.url) as pipe:
            for turn, data in enumerate(versions[1:], 1):
                replace(bench, data, turn)
            pointer = bench.store.pointer(COLLECTION)
            positions = dict(enumerate(bench.store.state(COLLECTION).positions))
            assert pointer.generation
            pipe.send((pointer.generation.id, str(Token(pointer.incarnation[:8], positions))))
            process = pipe.recv()
        count = versions[-1].count
        return {
            "server": (bench.used_bytes() - before) / count,
            **{name: size / count for name, size in process.items()},
        }


@contextmanager
def _follower(url: str) -> "Iterator[Connection[Any, Any]]":
    """A process that serves what is published, when it has loaded it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(url, theirs), daemon=True)
    process.start()
    assert ours.recv() == "loaded"
    try:
        yield ours
    finally:
        process.join()


def serve(url: str, pipe: "Connection[Any, Any]") -> None:
    """Serve what is published; asked by a generation and a token, tell how large the replica and the process are when it has both."""

    def begin(ref: GenerationRef) -> Serving[Replica, None]:
        return Serving(ref.id, Replica(BITS, segments, TAXONOMY), None)

    with CodeStore.connect(url) as store:
        segments = store.segments(COLLECTION)
        with Swap(Collection(store, COLLECTION, "bench"), begin) as swap:
            assert swap.wait_ready(600.0), swap.error
            pipe.send("loaded")
            generation, token = pipe.recv()
            while swap.serving is None or swap.serving.generation != generation or swap.loading:
                swap.wait(Token.parse(token), 0.1)
            assert swap.wait(Token.parse(token), 600.0), swap.error
            gc.collect()
            pipe.send(
                {
                    "replica": swap.serving.replica.nbytes,
                    "whole process": psutil.Process().memory_info().rss,
                }
            )
