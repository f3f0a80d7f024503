"""Where the time of a search goes: what its parts would take alone, on the same codes and queries."""

import time
from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

from taxohash.codes import Codes
from taxohash.hamming import HammingIndex
from taxohash.hamming.rings import centre_distances
from taxohash.hamming.segments import Rings
from taxohash.hamming.words import to_words, width_of

BATCH = 100
K = 10


def profile(index: HammingIndex, queries: Codes, rounds: int) -> dict[str, float]:
    """Microseconds a query of a batch of 100, k = 10, one thread: the least of `rounds`, each with other queries.

    `call`: a search that has one code to look at; paid once a batch. For rings also `centres`: the distances to all
    centres; `read`: nothing but that and reading the codes that might be nearer than the k-th, which no exact search
    around these centres can leave out; and how many codes and how many separate runs of memory those are.
    """
    one = HammingIndex.build(queries[:1], index.bits)
    found = {"call": _best([lambda: one.search(queries[:1], K)] * 200)}
    batches = [queries[start : start + BATCH] for start in range(0, len(queries) - BATCH + 1, BATCH)][:rounds]

    def searching(batch: Codes) -> Callable[[], object]:
        return lambda: index.search(batch, K)

    found["search"] = _best([searching(batch) for batch in batches]) / BATCH
    base = index._state.base
    if not isinstance(base, Rings):
        return found
    width, near = width_of(index.bits), np.empty(base.offsets.shape[0], np.int32)
    asked = [to_words(batch, index.bits) for batch in batches]
    limits = [index.search(batch, K)[0][:, -1].astype(np.int64) - 1 for batch in batches]
    none = np.full(BATCH, -1)  # a limit that leaves nothing to read

    def reading(words: Any, limit: Any) -> Callable[[], object]:
        return lambda: _read(
            width, index.bits, base.codes, base.centres.words, base.offsets, words, limit, near
        )

    counts = [reading(words, limit)() for words, limit in zip(asked, limits, strict=True)]
    found["centres"] = _best([reading(words, none) for words in asked]) / BATCH
    found["read"] = _best([reading(*pair) for pair in zip(asked, limits, strict=True)]) / BATCH
    found["codes"] = float(np.mean([count[0] for count in counts])) / BATCH  # type: ignore[index]
    found["runs"] = float(np.mean([count[1] for count in counts])) / BATCH  # type: ignore[index]
    return found


@nb.njit(nogil=True, boundscheck=False, error_model="numpy")
def _read(width, bits, words, centres, offsets, queries, limits, near):  # type: ignore[no-untyped-def]
    """Sum the words in all rings within the limits; codes, runs of them, and the sum."""
    codes, runs, total = np.int64(0), np.int64(0), np.uint64(0)
    for q in range(queries.shape[0]):
        centre_distances(width, centres, queries[q], near)
        limit = limits[q]
        for c in range(near.size if limit >= 0 else 0):
            start = np.int64(offsets[c, min(max(near[c] - limit, 0), bits + 1)])
            stop = np.int64(offsets[c, min(near[c] + limit, bits) + 1])
            if stop > start:
                codes += stop - start
                runs += np.int64(1)
                part = words[start * len(width) : stop * len(width)]
                for i in range(part.size):
                    total += part[i]
    return codes, runs, total


def _best(calls: list[Callable[[], object]]) -> float:
    """Microseconds of the fastest of `calls`, after one that warms up."""
    calls[0]()
    times = []
    for call in calls:
        start = time.perf_counter()
        call()
        times.append(1e6 * (time.perf_counter() - start))
    return min(times)
