"""What is stored: items with a 16-byte id, one of a hundred labels and a 64-bit code; and servers to store it in."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import redis

from benchmarks.common.timing import timed
from services.codestore import CodeStore, EmbeddedServer, GenerationRef, Item
from taxohash.codes import Codes
from taxohash.taxonomy import Taxonomy

BITS = 64
BATCH = 1000  # items of a write
COLLECTION, GENERATION = "bench", "first"
TAXONOMY = Taxonomy("bench", tuple((f"class {label // 5}", f"label {label}") for label in range(100)))


@dataclass(frozen=True, eq=False)
class Data:
    """Items by their numbers.

    Attributes:
        name: two characters that their ids begin with.
        seed: of their codes.
    """

    count: int
    name: str = "it"
    seed: int = 0

    @cached_property
    def ids(self) -> list[str]:
        return [f"{self.name}-{number:013d}" for number in range(self.count)]

    @cached_property
    def codes(self) -> Codes:
        return np.random.default_rng(self.seed).integers(0, 256, (self.count, BITS // 8), np.uint8)

    @cached_property
    def items(self) -> list[Item]:
        return [Item(item_id, (number % len(TAXONOMY),)) for number, item_id in enumerate(self.ids)]

    @cached_property
    def values(self) -> list[bytes]:
        """Code and label of each item as one value, for who stores them by plain commands."""
        labels = (np.arange(self.count) % len(TAXONOMY)).astype("<i4").view(np.uint8).reshape(-1, 4)
        return [value.tobytes() for value in np.hstack([self.codes, labels])]

    def batches(self, size: int = BATCH) -> Iterator[slice]:
        """Items of one write after the other."""
        return (slice(first, first + size) for first in range(0, self.count, size))


class Bench(NamedTuple):
    """A server of its own, the store in it, and a plain client of it."""

    store: CodeStore
    client: "redis.Redis"
    url: str

    def begin(self, generation: str = GENERATION) -> None:
        """Begin a generation of the collection, which is made if it is not there."""
        self.store.create(COLLECTION, TAXONOMY)
        self.store.begin(COLLECTION, GenerationRef(generation, BITS, TAXONOMY.sha256))

    def fill(self, data: Data, generation: str = GENERATION) -> None:
        """Put a data version into a generation."""
        for part in data.batches(16 * BATCH):
            self.store.fill(COLLECTION, generation, data.items[part], data.codes[part])

    def publish(self, generation: str = GENERATION) -> None:
        self.store.seal(COLLECTION, generation)
        self.store.publish(COLLECTION, generation)

    def published(self, data: Data, generation: str = GENERATION) -> None:
        """A data version as the published generation."""
        self.begin(generation)
        self.fill(data, generation)
        self.publish(generation)

    def upsert(self, data: Data, size: int = BATCH) -> None:
        """Put items by the API, with their codes."""
        for part in data.batches(size):
            self.store.upsert(COLLECTION, data.items[part], {GENERATION: data.codes[part]})

    def used_bytes(self) -> int:
        """What the server has allocated, after whatever it frees later is freed."""
        while self.client.info("memory").get("lazyfree_pending_objects"):
            time.sleep(0.01)
        return int(self.client.info("memory")["used_memory"])


@contextmanager
def running(program: Path | None = None, options: dict[str, Any] | None = None) -> Iterator[Bench]:
    """A server with nothing in it, which fsyncs every second; the embedded Valkey by default."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedServer(folder, binary=program, options=options) as server,
        CodeStore.connect(server.url) as store,
        redis.Redis.from_url(server.url) as client,
    ):
        yield Bench(store, client, server.url)


class Spent(NamedTuple):
    """Seconds on the wall's clock, of this process's CPU, and of the server's."""

    wall: float
    client: float
    server: float


def spent(client: "redis.Redis", work: Callable[[], object]) -> Spent:
    """What a piece of work took."""
    before = _cpu(client)
    done = timed(work)
    return Spent(done.wall, done.cpu, _cpu(client) - before)


def _cpu(client: "redis.Redis") -> float:
    found = client.info("cpu")
    return float(found["used_cpu_user"] + found["used_cpu_sys"])


def summary(measured: list[Spent], each: int = 1) -> dict[str, float]:
    """Least and median, in microseconds for each of so many items; of the CPU's the least of both sides together."""
    walls = [1e6 * one.wall / each for one in measured]
    least = min(measured, key=lambda one: one.client + one.server)
    return {
        "min_us": min(walls),
        "median_us": float(np.median(walls)),
        "client_cpu_us": 1e6 * least.client / each,
        "server_cpu_us": 1e6 * least.server / each,
    }
