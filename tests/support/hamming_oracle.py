"""What an exact search must answer, in a few lines of NumPy; and codes of many kinds."""

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes

Answer = tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]

LENGTHS = (8, 12, 45, 48, 64, 65, 128, 1000, 1024)  # of one word, two words and sixteen
KINDS = ("uniform", "clustered", "duplicates", "equal")
WEIGHTS = ("near one", "uniform", "steps", "one bit", "equal", "zero", "wide")


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


def make_weights(rng: np.random.Generator, queries: int, bits: int, kind: str) -> npt.NDArray[np.float32]:
    """Weights float32[queries, bits]: "near one" is most of them, "steps" few values, "wide" spans powers of two."""
    drawn = rng.random((queries, bits))
    made = {
        "near one": np.where(drawn < 0.1, drawn, 1 - drawn / 10),
        "uniform": drawn,
        "steps": np.round(3 * drawn) / 3,
        "one bit": np.arange(bits) == rng.integers(0, bits, (queries, 1)),
        "equal": np.repeat(drawn[:, :1], bits, axis=1),
        "zero": np.zeros((queries, bits)),
        "wide": 2.0 ** (60 * drawn - 40),
    }[kind]
    return np.ascontiguousarray(made, dtype=np.float32)


def weighted_distances(
    codes: Codes, query: Codes, weights: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int64], float]:
    """Distances in whole numbers, and what one stands for: weights float32[bits] are rounded as the index says."""
    unit = float(weights.max()) / 2 ** (30 - int(np.ceil(np.log2(weights.size))))
    whole = np.rint(weights.astype(np.float64) / (unit or 1)).astype(np.int64)
    differing = np.unpackbits(codes ^ query, axis=1, count=weights.size)
    return np.asarray(differing @ whole, dtype=np.int64), unit


def weighted_nearest(
    codes: Codes,
    queries: Codes,
    weights: npt.NDArray[np.float32],
    k: int,
    rows: npt.NDArray[np.int64] | None = None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """`nearest` by weights float32[Q, bits]."""
    rows = np.arange(len(codes)) if rows is None else np.sort(rows)
    size = min(k, len(rows))
    found, near = np.empty((len(queries), size), np.int64), np.empty((len(queries), size), np.float64)
    for i, query in enumerate(queries):
        distance, unit = weighted_distances(codes[rows], query, weights[i])
        order = np.argsort(distance, kind="stable")[:size]
        near[i], found[i] = distance[order] * unit, rows[order]
    return near, found


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
