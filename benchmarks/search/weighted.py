"""Search by weights of the query's bits, beside the plain search and FAISS, on the same codes and queries."""

from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from benchmarks.common.rows import Row
from benchmarks.common.timing import interleaved, milliseconds, timed
from benchmarks.search.data import Floats
from taxohash.codes import Codes, unpack
from taxohash.hamming import HammingIndex

BATCHES = (1, 100)
K = 10
NEAR = 200  # neighbours that the codes a query may be torn between are drawn of
WEIGHTS = ("like outputs", "uniform", "one bit")
LONGEST = 2.5  # seconds that one call may take
QUICK = 0.02  # seconds; a quicker call is made REPEATS times a round
REPEATS = 5

Ask = Callable[[Codes, Floats], object]


def weighted(index: HammingIndex, codes: Codes, queries: Codes, rounds: int) -> list[Row]:
    """Times of the plain search, of ours by weights and of FAISS's product quantiser, k = 10, one thread, in turns.

    Weights "like outputs" are |f|, and the query is the signs of f, the mean of its code and two near ones, and noise: most
    are near 1, a few near 0; "uniform" ones lie between 0 and 1; "one bit" leaves one bit of each query.
    """
    faiss.omp_set_num_threads(1)
    peer = product_quantiser(codes, index.bits)
    methods: dict[str, Ask] = {
        "taxohash, plain": lambda asked, _: index.search(asked, K),
        "taxohash": lambda asked, weights: index.search(asked, K, weights=weights),
        "faiss PQ8x8": lambda asked, weights: peer.search(weights * signs(asked, index.bits), K),
    }
    return [
        {"weights": weighing} | row
        for weighing in WEIGHTS
        for row in _compared(methods, *draw(weighing, index, codes, queries), rounds)
    ]


def _compared(methods: dict[str, Ask], queries: Codes, weights: Floats, rounds: int) -> list[Row]:
    def ask(name: str, start: int, batch: int) -> float:
        part = slice(start, start + batch)
        return timed(lambda: methods[name](queries[part], weights[part])).wall

    def way(name: str, batch: int, first: float) -> Callable[[int], list[float]]:
        repeats = REPEATS if first < QUICK else 1
        last = max(len(queries) - batch, 1)
        return lambda turn: [
            ask(name, (turn * repeats + again) * batch % last, batch) for again in range(repeats)
        ]

    for name in methods:  # kernels are loaded at the first call
        ask(name, 0, 1)
    first = {(name, batch): ask(name, 0, batch) for name in methods for batch in BATCHES}
    turns = {turn: way(*turn, spent) for turn, spent in first.items() if spent < LONGEST}
    return [
        {"method": name, "batch": batch} | milliseconds(spent)
        for (name, batch), spent in interleaved(turns, rounds).items()
    ]


def draw(weighing: str, index: HammingIndex, codes: Codes, queries: Codes) -> tuple[Codes, Floats]:
    """Queries and their weights float32[Q, bits]."""
    rng, bits = np.random.default_rng(7), index.bits
    if weighing == "uniform":
        return queries, rng.random((len(queries), bits), dtype=np.float32)
    if weighing == "one bit":
        return queries, np.eye(bits, dtype=np.float32)[rng.integers(0, bits, len(queries))]
    near = codes[index.search(queries, NEAR)[1]]
    drawn = near[np.arange(len(queries)), rng.integers(0, near.shape[1], (2, len(queries)))]
    outputs = np.mean([signs(queries, bits), signs(drawn[0], bits), signs(drawn[1], bits)], axis=0)
    outputs += rng.normal(0, 0.1, outputs.shape)
    return np.packbits(outputs > 0, axis=1), np.abs(outputs).astype(np.float32)


def product_quantiser(codes: Codes, bits: int) -> Any:
    """An index that ranks by the product of a real-valued query and the signs of codes, a byte a subquantiser."""
    peer = faiss.IndexPQ(bits, bits // 8, 8, faiss.METRIC_INNER_PRODUCT)
    every = signs(np.arange(256, dtype=np.uint8)[:, None], 8)
    faiss.copy_array_to_vector(np.tile(every.ravel(), bits // 8), peer.pq.centroids)
    faiss.copy_array_to_vector(np.ascontiguousarray(codes).ravel(), peer.codes)
    peer.is_trained, peer.ntotal = True, len(codes)
    return peer


def signs(codes: Codes, bits: int) -> npt.NDArray[np.float32]:
    """-1 and 1 for the bits of codes: float32[N, bits]."""
    return np.asarray(2 * unpack(codes, bits).astype(np.float32) - 1, dtype=np.float32)
