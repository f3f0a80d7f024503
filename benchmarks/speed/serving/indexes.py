"""What bare routes search in: each gives the ids and the distances of the ten nearest items of a code."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.speed.serving import made
from benchmarks.speed.serving.made import BITS, K
from services.codestore.follower.replica import Replica
from services.codestore.records import Columns, ItemLabels
from taxohash.codes import Codes, unpack

SEGMENTS = 16
VECTORS = "codes"  # name of the vector set
Answer = tuple[list[str], list[float]]


class Index(NamedTuple):
    """An index behind a route.

    Attributes:
        search: from a code uint8[1, 8], and by weights float32[1, 64] where such are given.
        waits: whether it waits for another process meanwhile.
    """

    search: Callable[..., Answer]
    waits: bool = False


def index_of(index: str, kind: str, items: int, url: str = "") -> Index:
    """One of `taxohash`, `faiss` and `redis` with so many codes of a kind, or those of a file; that of Redis holds them already."""
    if index == "redis":
        return _redis(url)
    codes = np.load(kind, allow_pickle=False) if kind.endswith(".npy") else made.codes(kind, items)
    return _faiss(codes) if index == "faiss" else _ours(codes)


def ids_of(count: int) -> list[str]:
    """The ids of so many items, of 16 characters."""
    return [f"it-{number:013d}" for number in range(count)]


def number_of(item_id: str) -> int:
    """Which item has this id."""
    return int(item_id[3:])


def replica_of(codes: Codes) -> Replica:
    """What a serving process has of items with these codes, arranged: item n has the label n mod 20."""
    replica = Replica(BITS, SEGMENTS, made.TREE)
    total = -(-len(codes) // SEGMENTS)
    replica.load(_page(segment, codes[segment::SEGMENTS], total) for segment in range(SEGMENTS))
    replica.arrange()
    return replica


def vectors_of(codes: Codes) -> list[bytes]:
    """float32 -1 and 1 for each bit, as a vector set takes them."""
    return [row.tobytes() for row in unpack(codes, BITS).astype("<f4") * 2 - 1]


def fill_vector_set(url: str, codes: Codes) -> None:
    """Put codes into a vector set of Redis 8, quantised to a bit a dimension."""
    import redis
    from redis.commands.vectorset.commands import QuantizationOptions

    ids, vectors, step = ids_of(len(codes)), vectors_of(codes), 1000
    with redis.Redis.from_url(url) as client:
        for first in range(0, len(ids), step):
            with client.pipeline(transaction=False) as pipe:
                for item_id, vector in zip(
                    ids[first : first + step], vectors[first : first + step], strict=True
                ):
                    pipe.vset().vadd(VECTORS, vector, item_id, quantization=QuantizationOptions.BIN)
                pipe.execute()


def _ours(codes: Codes) -> Index:
    """The call that the service makes."""
    replica = replica_of(codes)

    def search(code: Codes, weights: Any = None) -> Answer:
        found = replica.view().search(code, K, weights=weights)
        return found.ids, found.distances.tolist()

    return Index(search)


def _faiss(codes: Codes) -> Index:
    import faiss

    faiss.omp_set_num_threads(
        1
    )  # as ours: for one query more are no faster, and wait for each other where others work too
    index = faiss.IndexBinaryFlat(BITS)
    index.add(codes)
    ids = ids_of(len(codes))

    def search(code: Codes) -> Answer:
        distances, rows = index.search(code, K)
        return [ids[row] for row in rows[0].tolist()], distances[0].tolist()

    return Index(search)


def _redis(url: str) -> Index:
    import redis

    client = redis.Redis.from_url(url)

    def search(code: Codes) -> Answer:
        (vector,) = vectors_of(code)
        found: Any = client.vset().vsim(VECTORS, vector, with_scores=True, count=K)
        # The similarity is 1 less half of the share of bits that differ, twice over.
        return [item.decode() for item in found], [round(BITS * (1 - score), 2) for score in found.values()]

    return Index(search, waits=True)


def _page(segment: int, codes: Codes, total: int) -> Columns:
    count = len(codes)
    numbers = np.arange(count) * SEGMENTS + segment
    ids = np.full((count, 17), 0xFF, np.uint8)
    ids[:, :3] = np.frombuffer(b"it-", np.uint8)
    ids[:, 3:16] = numbers[:, None] // 10 ** np.arange(12, -1, -1) % 10 + ord("0")
    yes = np.ones(count, np.bool_)
    labels = ItemLabels.of((numbers % len(made.TREE)).astype(np.int32), np.ones(count, np.int64))
    fingerprints = np.zeros(count, np.uint8)
    return Columns(
        segment, 1, 1, total, np.arange(count), yes, yes, yes, ids.tobytes(), labels, codes, {}, fingerprints
    )
