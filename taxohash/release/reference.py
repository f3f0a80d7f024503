"""Asks what a generation is made of with pictures that the hasher was not trained on, as a service asks: what drift is measured against."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes, Queries, bit_health
from taxohash.datasets import Dataset
from taxohash.generation.calibration import Calibration, depths_of
from taxohash.generation.hasher import Model
from taxohash.generation.reference import NOTHING, Reference
from taxohash.images import Preprocessing
from taxohash.taxonomy import Taxonomy

MOST = 2000  # queries that are kept
SEED = 0
NO_LABEL = -1


@dataclass(frozen=True, eq=False)
class Found:
    """What can be found.

    Attributes:
        codes: uint8[N, ceil(bits/8)].
        labels: int32[N], the first of each item, NO_LABEL where it has none.
        seen: bool[N], whether the hasher was trained on it.
    """

    codes: Codes
    labels: npt.NDArray[np.int32]
    seen: npt.NDArray[np.bool_]

    @classmethod
    def of_splits(
        cls, dataset: Dataset, splits: Sequence[str], codes: Codes, learned_from: str = ""
    ) -> "Found":
        """The images of some splits and their codes, one split after the other."""
        labels = [own for split in splits for own in dataset.item_labels(split)]
        seen = [np.full(dataset.count(split), split == learned_from) for split in splits]
        return cls(codes, _first_labels(labels), np.concatenate(seen))


def measured(
    model: Model,
    preprocessing: Preprocessing,
    dataset: Dataset,
    queries: str,
    splits: Sequence[str],
    codes: Codes,
    calibration: Calibration | None,
) -> Reference:
    """The queries of a split, MOST of them drawn by SEED, each answered by the items of some splits but itself.

    Args:
        splits: whose images can be found.
        codes: uint8[N, ceil(bits/8)], theirs, one split after the other.
        calibration: of the generation; None where that was not measured.
    """
    count = dataset.count(queries)
    rows = np.sort(np.random.default_rng(SEED).permutation(count)[:MOST])
    asked = model.encode_query_pixels(dataset.pixels(queries, preprocessing, rows=rows.tolist()))
    found = Found.of_splits(dataset, splits, codes, calibration.learned_from if calibration else "")
    itself = None
    if queries in splits:
        itself = rows + sum(dataset.count(split) for split in splits[: splits.index(queries)])
    labels = _first_labels(dataset.item_labels(queries))[rows]
    answered = answers(asked, found, calibration, dataset.taxonomy, itself)
    return replace(answered, labelled=_tops(dataset.taxonomy, labels))


def answers(
    asked: Queries,
    found: Found,
    calibration: Calibration | None,
    taxonomy: Taxonomy,
    itself: npt.NDArray[np.int64] | None = None,
) -> Reference:
    """What queries are answered, without labels of their own.

    Args:
        itself: int64[Q], the row of the item that each query is; None where they are none.
    """
    bits = asked.outputs.shape[1]
    reference = Reference(bits, _nearest(asked, found.codes, bits, itself), asked.codes)
    if calibration is None:
        return reference
    strange = calibration.strangeness(asked.novelty)
    unlike = None if strange is None else strange > 1
    told, confidence = _told(asked, found, itself, calibration, taxonomy, bits)
    if unlike is not None:
        told[unlike], confidence[unlike] = NOTHING, 0.0  # what is like nothing known has no path
    return replace(reference, told=told, unlike=unlike, confidence=confidence)


def summary(reference: Reference, taxonomy: Taxonomy) -> dict[str, Any]:
    """What a manifest tells people of it."""
    assert reference.codes is not None
    health = bit_health(reference.codes, reference.bits)
    said: dict[str, Any] = {
        "queries": len(reference),
        "bit_share": health.balance,
        "entropy": round(health.entropy, 6),
        "nearest_distance": np.bincount(reference.nearest, minlength=reference.bits + 1).tolist(),
    }
    if reference.told is not None:
        names = ["", *(path[0] for path in taxonomy.class_paths(0))]
        counts = np.bincount(reference.told + 1, minlength=len(names))
        said["told"] = dict(zip(names, (counts / len(reference)).round(6).tolist(), strict=True))
    if reference.confidence is not None:
        sure = reference.confidence.mean(axis=0, dtype=np.float64).round(6).tolist()
        said["confidence"] = dict(zip(taxonomy.levels, sure, strict=True))
    if reference.unlike is not None:
        said["unlike"] = round(float(reference.unlike.mean()), 6)
    if reference.canaries is not None:
        levels = taxonomy.levels[: reference.canaries.shape[1]]
        recall = reference.canaries.mean(axis=0, dtype=np.float64).round(6).tolist()
        said["canary_recall"] = dict(zip(levels, recall, strict=True))
    return said


def _nearest(
    asked: Queries, codes: Codes, bits: int, itself: npt.NDArray[np.int64] | None
) -> npt.NDArray[np.int32]:
    """int32[Q]: Hamming distance of the nearest item but itself; `bits` where there is none."""
    if len(codes) <= (itself is not None):
        return np.full(len(asked), bits, np.int32)
    from taxohash.hamming import HammingIndex  # compiles: only where something is measured

    index = HammingIndex.build(codes, bits=bits)
    distances, _ = index.search(asked.codes, k=1 + (itself is not None))
    return distances[:, -1].astype(np.int32)  # it is itself at distance 0


def _told(
    asked: Queries,
    found: Found,
    itself: npt.NDArray[np.int64] | None,
    calibration: Calibration,
    taxonomy: Taxonomy,
    bits: int,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """int32[Q]: the top node of each query's own path, as an answer by weights tells it; NOTHING where none is sure. And
    float32[Q, levels]: how sure it is of the path's node on each level, 0 beyond its end."""
    from taxohash.hamming import HammingIndex

    tops = {path[0]: top for top, path in enumerate(taxonomy.class_paths(0))}
    told = np.full(len(asked), NOTHING, np.int32)
    confidence = np.zeros((len(asked), taxonomy.depth), np.float32)
    count = min(calibration.nearest, len(found.codes) - (itself is not None))
    if count < 1:
        return told, confidence
    index = HammingIndex.build(found.codes, bits=bits)
    distances, rows = index.search(asked.codes, k=count + (itself is not None), weights=asked.weights)
    shares = asked.shares(distances.astype(np.float64))
    for query in range(len(asked)):
        kept = np.flatnonzero(rows[query] != (-1 if itself is None else itself[query]))[:count]
        near = rows[query, kept]
        seen, labels = found.seen[near], found.labels[near]
        shared = calibration.shared("weighted", shares[query, kept], seen, depths_of(taxonomy, labels))
        path = calibration.predicted("weighted", taxonomy, shared, seen, labels)
        if path:
            told[query] = tops[path[0][0]]
            confidence[query, : len(path)] = [sure for _, sure in path]
    return told, confidence


def _first_labels(labels: Sequence[Sequence[int]]) -> npt.NDArray[np.int32]:
    """int32[N]: the first label of each, NO_LABEL where there is none."""
    return np.array([own[0] if own else NO_LABEL for own in labels], np.int32)


def _tops(taxonomy: Taxonomy, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """int32[N]: the top node of each label."""
    return np.where(labels < 0, NOTHING, taxonomy.ancestors[labels, 0]).astype(np.int32)
