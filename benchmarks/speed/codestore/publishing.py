"""Processes that follow and search while another generation is published: what fails, what is mixed, how long it takes."""

import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.common.rows import Row
from benchmarks.speed.codestore.data import BITS, COLLECTION, GENERATION, TAXONOMY, Data, running
from services.codestore import CodeStore, GenerationRef
from services.codestore.follower.replica import Replica
from services.codestore.follower.source import Collection
from services.codestore.follower.swap import Serving, Swap
from taxohash.codes import Codes

SEARCHES = 500  # a second, of all followers together
_NEXT = "second"
_SEEDS = {GENERATION: 0, _NEXT: 1}  # of the codes that each gives the same items
_K = 10
_AFTER_SECONDS = 1.0  # of searches, before the publish and after all have swapped


def measure(items: int, followers: int) -> list[Row]:
    """One row."""
    with running() as bench:
        bench.published(Data(items))
        bench.begin(_NEXT)
        bench.fill(Data(items, seed=_SEEDS[_NEXT]), _NEXT)
        context = multiprocessing.get_context("spawn")
        pipes, processes = [], []
        for number in range(followers):
            ours, theirs = context.Pipe()
            arguments = (bench.url, number, items, SEARCHES / followers, theirs)
            process = context.Process(target=serve, args=arguments, daemon=True)
            process.start()
            pipes.append(ours)
            processes.append(process)
        for pipe in pipes:
            assert pipe.recv() == "loaded"
        for pipe in pipes:
            pipe.send("search")
        time.sleep(_AFTER_SECONDS)
        published = time.monotonic()
        bench.publish(_NEXT)
        for pipe in pipes:
            assert pipe.recv() == "swapped"
        time.sleep(_AFTER_SECONDS)
        for pipe in pipes:
            pipe.send("end")
        found = [pipe.recv() for pipe in pipes]
        for process in processes:
            process.join()
    times = np.concatenate([one["times"] for one in found])
    return [
        {
            "measure": "publish", "items": items, "followers": followers, "asked_per_s": SEARCHES,
            "searches": len(times), "failed": sum(one["failed"] for one in found),
            "mixed": sum(one["mixed"] for one in found),
            "searches_per_s": sum(len(one["times"]) / one["seconds"] for one in found),
            "median_ms": 1e3 * np.median(times), "p99_ms": 1e3 * np.percentile(times, 99),
            "published_to_swapped_s": max(one["swapped"] for one in found) - published,
            "loaded_to_swapped_s": max(one["swapped"] - one["loaded"] for one in found),
            "load_s": max(one["loaded"] - one["opened"] for one in found),
        }
    ]  # fmt: skip


def serve(url: str, number: int, items: int, rate: float, pipe: "Connection[Any, Any]") -> None:
    """Follow what is published, and search it at a steady rate by the codes of whatever is served."""
    opened: dict[str, float] = {}
    loaded: dict[str, float] = {}
    known = {name: Data(items, seed=seed).codes for name, seed in _SEEDS.items()}
    at = {item_id: i for i, item_id in enumerate(Data(items).ids)}

    def begin(ref: GenerationRef) -> Serving[Replica, Codes]:
        opened[ref.id] = time.monotonic()
        return Serving(ref.id, Replica(BITS, segments, TAXONOMY), known[ref.id])

    def warm(serving: Serving[Replica, Codes]) -> None:
        loaded[serving.generation] = time.monotonic()
        serving.replica.search(serving.engine[:1], _K)

    with CodeStore.connect(url) as store:
        segments = store.segments(COLLECTION)
        with Swap(Collection(store, COLLECTION, f"bench-{number}"), begin, warm) as swap:
            assert swap.wait_ready(600.0), swap.error
            pipe.send("loaded")
            pipe.recv()
            times: list[float] = []
            failed = mixed = 0
            swapped = 0.0
            chosen = np.random.default_rng(number)
            begun = time.monotonic()
            while not pipe.poll():
                time.sleep(max(0.0, begun + len(times) / rate - time.monotonic()))
                sent = time.monotonic()
                serving = swap.serving
                assert serving is not None
                wanted = int(chosen.integers(items))
                try:
                    found = serving.replica.search(serving.engine[wanted : wanted + 1], _K)
                except Exception:  # whatever it is, it counts as failed
                    failed += 1
                else:
                    mixed += not _agrees(
                        serving.engine, wanted, [at[own] for own in found.ids], found.distances
                    )
                times.append(time.monotonic() - sent)
                if serving.generation == _NEXT and not swapped:
                    swapped = sent
                    pipe.send("swapped")
    pipe.send(
        {
            "times": times, "failed": failed, "mixed": mixed, "seconds": time.monotonic() - begun,
            "opened": opened[_NEXT], "loaded": loaded[_NEXT], "swapped": swapped,
        }
    )  # fmt: skip


def _agrees(codes: Codes, wanted: int, found: list[int], distances: "np.typing.NDArray[np.int32]") -> bool:
    """Whether an answer is what the codes of one generation say: the item itself first, every distance its own."""
    apart = np.bitwise_count(codes[found] ^ codes[wanted]).sum(axis=1)
    return len(found) == _K and distances[0] == 0 and bool((apart == distances).all())
