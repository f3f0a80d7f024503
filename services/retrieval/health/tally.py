"""Counts of what was asked and answered: a few additions a query, from any thread."""

import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from services import metrics
from services.retrieval.health.reference import NONE, OTHER
from taxohash.codes import code_bytes

ENDS = metrics.CONFIDENCE.buckets
_AT_ONCE = 256  # codes whose bits are counted together: those of one take as long
Node = Mapping[str, Any]  # of `schemas.search`: name and confidence


@dataclass(frozen=True)
class Counted:
    """What a tally has at one moment.

    Attributes:
        queries: all.
        distances: int64[bits + 1], queries whose nearest item is so far.
        tops: queries by the index of their first node's label.
        sure: int64[levels, ends + 1], queries by how sure they are of each level: no surer than each end, and surer than all; not
            added up.
        sums: of these on each level.
        unlike: queries.
        bits: int64[bits], queries that have each set.
    """

    queries: int
    distances: npt.NDArray[np.int64]
    tops: tuple[int, ...]
    sure: npt.NDArray[np.int64]
    sums: tuple[float, ...]
    unlike: int
    bits: npt.NDArray[np.int64]


class Tally:
    """Of one generation."""

    def __init__(self, bits: int, nodes: Sequence[str], levels: int) -> None:
        """Begin at 0.

        Args:
            nodes: labels of first nodes, see `reference.node_labels`.
            levels: of a path, from the coarsest; what is below is not counted.
        """
        self._lock = threading.Lock()
        self._bits, self._levels = bits, levels
        self._nodes = {node: number for number, node in enumerate(nodes) if node not in (OTHER, NONE)}
        self._none = nodes.index(NONE)
        self._other = nodes.index(OTHER) if OTHER in nodes else self._none
        self._queries = self._unlike = 0
        # Lists: an array takes five times as long to add 1 to.
        self._distances = [0] * (bits + 1)
        self._tops = [0] * len(nodes)
        self._sure = [[0] * (len(ENDS) + 1) for _ in range(levels)]  # of nodes that were told
        self._sums = [0.0] * levels
        self._set = np.zeros(bits, np.int64)
        self._codes: list[bytes] = []  # whose bits are not counted yet

    def add(self, distance: int, code: bytes, path: Sequence[Node], unlike: bool) -> None:
        """Count a query.

        Args:
            distance: of its nearest item.
            code: packed.
            path: that its answer told.
            unlike: whether it said so.
        """
        top = self._nodes.get(path[0]["name"], self._other) if path else self._none
        with self._lock:
            self._queries += 1
            self._unlike += unlike
            self._distances[distance] += 1
            self._tops[top] += 1
            for sure, level, node in zip(self._sure, range(self._levels), path, strict=False):
                confidence = node["confidence"]
                sure[bisect_left(ENDS, confidence)] += 1
                self._sums[level] += confidence
            self._codes.append(code)
            if len(self._codes) == _AT_ONCE:
                self._count_bits()

    def counted(self) -> Counted:
        """All that was counted until now."""
        with self._lock:
            self._count_bits()
            sure = np.array(self._sure, np.int64).reshape(self._levels, len(ENDS) + 1)
            found = Counted(
                self._queries,
                np.array(self._distances, np.int64),
                tuple(self._tops),
                sure,
                tuple(self._sums),
                self._unlike,
                self._set.copy(),
            )
        sure[:, 0] += found.queries - sure.sum(axis=1)  # told nothing: 0
        return found

    def _count_bits(self) -> None:
        codes = np.frombuffer(b"".join(self._codes), np.uint8).reshape(-1, code_bytes(self._bits))
        self._set += np.unpackbits(codes, axis=1, count=self._bits).sum(axis=0, dtype=np.int64)
        self._codes.clear()
