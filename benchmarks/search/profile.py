"""Where the time of a search goes: what its parts would take alone, on the same codes and queries."""

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

from benchmarks.common.timing import interleaved, shortest
from taxohash.codes import Codes
from taxohash.hamming import HammingIndex
from taxohash.hamming.kernels.cells import BLOCK, differing
from taxohash.hamming.kernels.intrinsics import LINE
from taxohash.hamming.kernels.rings import centre_distances
from taxohash.hamming.layouts import Rings, Sliced
from taxohash.hamming.words import to_words, width_of

BATCH = 100
K = 10


def profile(index: HammingIndex, queries: Codes, rounds: int) -> dict[str, float]:
    """Microseconds a query of a batch of 100, k = 10, one thread: the least of `rounds`, each with other queries.

    `call`: a search that has one code to look at; paid once a batch. For sliced codes also `alone`, a search of batch 1, and
    `read`, reading the codes once from end to end, the two in turns. For rings also `centres`: the distances to all
    centres; `read`: nothing but that and reading what is kept of the codes that might be nearer than the k-th, which no
    exact search around these centres can leave out; and how many codes, cache lines and separate runs of codes that is.
    """
    one = HammingIndex.build(queries[:1], index.bits)
    found = {"call": 1e6 * shortest([lambda: one.search(queries[:1], K)] * 200)}
    batches = [queries[start : start + BATCH] for start in range(0, len(queries) - BATCH + 1, BATCH)][:rounds]

    def searching(batch: Codes) -> Callable[[], object]:
        return lambda: index.search(batch, K)

    found["search"] = _microseconds([searching(batch) for batch in batches])
    base = index._version.base
    if isinstance(base, Sliced):
        words = base.words()
        turns: dict[str, Callable[[int], list[float]]] = {
            "alone": lambda _: [shortest([lambda: index.search(queries[:1], K)])],
            "read": lambda _: [shortest([lambda: _sum(words)])],
        }
        found |= {name: 1e6 * min(times) for name, times in interleaved(turns, 4 * rounds).items()}
    if not isinstance(base, Rings):
        return found
    width, near = width_of(index.bits), np.empty(base.offsets.shape[0], np.int32)
    asked = [to_words(batch, index.bits) for batch in batches]
    limits = [index.search(batch, K)[0][:, -1].astype(np.int64) - 1 for batch in batches]
    none = np.full(BATCH, -1)  # a limit that leaves nothing to read

    def reading(words: Any, limit: Any) -> Callable[[], object]:
        return lambda: _read(
            width, index.bits, base.codes, base.centres.words, base.offsets, base.bodies, words, limit, near
        )

    counts = [reading(words, limit)() for words, limit in zip(asked, limits, strict=True)]
    found["centres"] = _microseconds([reading(words, none) for words in asked])
    found["read"] = _microseconds([reading(*pair) for pair in zip(asked, limits, strict=True)])
    for place, name in enumerate(("codes", "runs", "lines")):
        found[name] = float(np.mean([count[place] for count in counts])) / BATCH  # type: ignore[index]
    return found


@nb.njit(nogil=True, boundscheck=False, error_model="numpy")
def _read(width, bits, words, centres, offsets, bodies, queries, limits, near):  # type: ignore[no-untyped-def]
    """Sum what has to be read of the rings within the limits; codes, runs of them, cache lines, and the sum."""
    codes, runs, lines, total = np.int64(0), np.int64(0), np.int64(0), np.uint64(0)
    slots = np.empty(64 * len(width), np.int32)
    for q in range(queries.shape[0]):
        centre_distances(width, centres, queries[q], near)
        limit = limits[q]
        for c in range(near.size if limit >= 0 else 0):
            start = np.int64(offsets[c, min(max(near[c] - limit, 0), bits + 1)])
            stop = np.int64(offsets[c, min(near[c] + limit, bits) + 1])
            if stop <= start:
                continue
            codes += stop - start
            runs += np.int64(1)
            low, high = np.int64(bodies[c, 0]), np.int64(bodies[c, 1])
            for first, last in ((start, min(stop, low)), (max(start, high), stop)):
                if first < last:
                    part = words[first * len(width) : last * len(width)]
                    lines += (part.size + LINE - 1) // LINE
                    for i in range(part.size):
                        total += part[i]
            used = differing(width, centres, c, queries[q], slots)
            first, last = max(start, low), min(stop, high)
            while first < last:
                block = low + (first - low) // BLOCK * BLOCK
                stride = (BLOCK if high - block > BLOCK else high - block) // 64
                end = np.int64(min(last, block + BLOCK))
                lanes = (first - block) // 64, (end - block + 63) // 64
                for i in range(used):
                    plane = block * len(width) + slots[i] * stride
                    part = words[plane + lanes[0] : plane + lanes[1]]
                    lines += np.int64(1)
                    for j in range(part.size):
                        total += part[j]
                first = end
    return codes, runs, lines, total


@nb.njit(nogil=True, boundscheck=False)
def _sum(words):  # type: ignore[no-untyped-def]
    total = np.uint64(0)
    for i in range(words.size):
        total += words[i]
    return total


def _microseconds(calls: list[Callable[[], object]]) -> float:
    """Microseconds a query of the fastest of `calls` with a batch each."""
    return 1e6 * shortest(calls) / BATCH
