"""What an exact search must answer, in a few lines of NumPy; and codes of many kinds."""

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes

Answer = tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]

LENGTHS = (8, 12, 45, 48, 64, 65, 128, 1000, 1024)  # of one word, two words and sixteen
KINDS = ("uniform", "clustered", "duplicates", "equal")


def make_codes(rng: np.random.Generator, count: int, bits: int, kind: str) -> Codes:
    """Codes uint8[count, ceil(bits/8)]; clustered ones lie around the same centres whatever `rng` is."""
    fixed = np.random.default_rng(bits)
    if kind == "uniform":
        signs = rng.integers(0, 2, (count, bits), dtype=np.uint8)
    elif kind == "clustered":
        centres = fixed.integers(0, 2, (12, bits), dtype=np.uint8)
        signs = centres[rng.integers(0, 12, count)] ^ (rng.random((count, bits)) < 0.03).astype(np.uint8)
    elif kind == "duplicates":
        signs = fixed.integers(0, 2, (5, bits), dtype=np.uint8)[rng.integers(0, 5, count)]
    else:
        signs = np.ones((count, bits), dtype=np.uint8)
    return np.packbits(signs, axis=1)


def distances(codes: Codes, query: Codes) -> npt.NDArray[np.int32]:
    near: npt.NDArray[np.int32] = np.bitwise_count(codes ^ query).sum(axis=1, dtype=np.int32)
    return near


def nearest(codes: Codes, queries: Codes, k: int, rows: npt.NDArray[np.int64] | None = None) -> Answer:
    """The k nearest of codes[rows] (all by default) to each query, ties by row."""
    rows = np.arange(len(codes)) if rows is None else np.sort(rows)
    size = min(k, len(rows))
    found = np.empty((len(queries), size), dtype=np.int64)
    near = np.empty((len(queries), size), dtype=np.int32)
    for i, query in enumerate(queries):
        distance = distances(codes[rows], query)
        order = np.argsort(distance, kind="stable")[:size]
        near[i], found[i] = distance[order], rows[order]
    return near, found
