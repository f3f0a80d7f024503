"""What the pictures of a report are drawn from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes
from taxohash.images import READER
from taxohash.taxonomy import Taxonomy

Rows = npt.NDArray[np.int64]
Labels = npt.NDArray[np.integer] | npt.NDArray[np.bool_]
ImagesOf = Callable[[Rows], Iterable[bytes]]


@dataclass(frozen=True)
class Evidence:
    """The codes that were evaluated, and their images.

    Attributes:
        taxonomy: the tree that the labels index.
        bits: bits of a code.
        query_codes, database_codes: packed codes uint8[*, ceil(bits/8)].
        query_labels, database_labels: int[*] into the taxonomy, or sets of labels bool[*, labels].
        query_images, database_images: encoded images (PNG, JPEG, WebP) of given rows, in their order,
            such as `lambda rows: dataset.images("test", rows)`; without them there is no grid.
        reader: version of the reader that decoded them for the codes.
        leave_one_out: the queries are the database, and each is left out of its own answers.
    """

    taxonomy: Taxonomy
    bits: int
    query_codes: Codes
    query_labels: Labels
    database_codes: Codes
    database_labels: Labels
    query_images: ImagesOf | None = None
    database_images: ImagesOf | None = None
    reader: int = READER
    leave_one_out: bool = False


@dataclass(frozen=True)
class Answers:
    """Some queries and their first answers.

    Attributes:
        queries: int64[n], rows of the queries.
        rows: int64[n, k], rows of the database, nearest first, ties in one random order.
        distances: int64[n, k], Hamming distances.
        agreement: int[n, k], levels on which answer and query agree, 0 ... K; of sets, by the labels that agree best.
    """

    queries: Rows
    rows: Rows
    distances: Rows
    agreement: npt.NDArray[Any]


def first_answers(evidence: Evidence, queries: int, answers: int) -> Answers:
    """The first answers to a few queries, spread evenly over the classes in the order of the tree.

    Data sets are often ordered by class: by row, all that is shown of many equal codes would be of the first class.
    """
    sets = evidence.query_labels.ndim == 2
    classes = evidence.query_labels.argmax(axis=1) if sets else evidence.query_labels
    ancestors = evidence.taxonomy.ancestors[classes]
    by_class = np.lexsort(ancestors.T[::-1])
    picked = by_class[
        np.linspace(0, len(by_class) - 1, min(queries, len(by_class)) + 2).astype(np.int64)[1:-1]
    ]
    codes = evidence.query_codes[picked][:, None] ^ evidence.database_codes[None]
    distances = np.bitwise_count(codes).sum(axis=2, dtype=np.int64)
    ranked = distances.copy()
    if evidence.leave_one_out:
        ranked[np.arange(len(picked)), picked] = evidence.bits + 1
    shuffled = np.random.default_rng(0).permutation(ranked.shape[1])
    nearest = shuffled[np.argsort(ranked[:, shuffled], axis=1, kind="stable")]
    rows = nearest[:, : min(answers, ranked.shape[1] - evidence.leave_one_out)]
    agreement = [
        [_agreed(evidence.taxonomy, own, other) for other in others]
        for own, others in zip(evidence.query_labels[picked], evidence.database_labels[rows], strict=True)
    ]
    return Answers(picked, rows, np.take_along_axis(distances, rows, 1), np.array(agreement))


def labels_of(known: Any) -> Rows:
    """int64[n]: the labels of an item, of which one is known, or a set bool[labels]."""
    return np.flatnonzero(known) if np.ndim(known) else np.array([known], np.int64)


def _agreed(taxonomy: Taxonomy, own: Any, other: Any) -> int:
    """Levels on which two items agree by those of their labels that agree best."""
    pairs = taxonomy.agreed(labels_of(own)[:, None], labels_of(other))
    return int(pairs.max(initial=0))
