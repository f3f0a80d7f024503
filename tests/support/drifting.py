"""Pictures without pictures: codes around the centres of classes, with everything that is told of each depending on its code."""

import numpy as np
import numpy.typing as npt

from taxohash.drift.judge import Seen
from taxohash.drift.sample import Sample, Source
from taxohash.generation.reference import NOTHING, Reference

BITS, CLASSES, PER_TOP = 32, 40, 5
TOPS = [f"top {top}" for top in range(CLASSES // PER_TOP)]
LEVELS = ("top", "class")
CENTRES = np.random.default_rng(7).random((CLASSES, BITS)) < 0.5
EVENLY = np.full(CLASSES, 1 / CLASSES)
NOTHING_STORED = Sample("items", np.empty((0, BITS // 8), np.uint8), np.empty(0))


def drawn(count: int, random: np.random.Generator, mix: npt.NDArray[np.float64] = EVENLY) -> Reference:
    """Pictures of the population; another mix of classes is another one."""
    classes = random.choice(CLASSES, count, p=mix)
    flips = random.choice([0.02, 0.1, 0.3], count, p=[0.6, 0.3, 0.1])[:, None]
    bits = CENTRES[classes] ^ (random.random((count, BITS)) < flips)
    away = (bits != CENTRES[classes]).sum(axis=1)
    tops = (classes // PER_TOP).astype(np.int32)
    return Reference(
        BITS,
        np.maximum(away - 2, 0).astype(np.int32),
        np.packbits(bits, axis=1),
        np.where(away > 6, NOTHING, tops).astype(np.int32),
        random.random(count) < 0.04,
        tops,
    )


def sample_of(reference: Reference, source: Source = "queries") -> Sample:
    return Sample.of_reference(reference, source)


def seen(
    queries: Sample, items: Sample = NOTHING_STORED, recall: npt.NDArray[np.float64] | None = None
) -> Seen:
    return Seen(queries, items, recall, LEVELS, TOPS)
