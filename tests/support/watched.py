"""A generation that knows how it was answered when it was made: reference, canaries and calibration."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from taxohash.codes import bit_health
from taxohash.generation.canaries import Canaries
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import Generation
from taxohash.generation.reference import Reference
from tests.support.calibrations import KNOWN
from tests.support.generations import BITS, TAXONOMY, make_generation, pictures

QUERIES, CANARIES = 200, 12


def reference(seed: int = 7) -> Reference:
    """Queries drawn by chance."""
    random = np.random.default_rng(seed)
    codes = np.packbits(random.random((QUERIES, BITS)) < random.random(BITS), axis=1)
    tops = random.integers(-1, TAXONOMY.class_count(0), QUERIES).astype(np.int32)
    confidence = random.random((QUERIES, TAXONOMY.depth)).astype(np.float32)
    return Reference(
        BITS,
        random.binomial(8, 0.2, QUERIES).astype(np.int32),
        codes,
        tops,
        random.random(QUERIES) < 0.1,
        tops,
        random.random((CANARIES, TAXONOMY.depth)).astype(np.float32),
        confidence,
    )


def make_watched(folder: Path, seed: int = 0) -> Generation:
    """Write such a generation into `folder`; another seed is another hasher."""
    made = make_generation(folder, seed, calibration=KNOWN)
    canaries = Canaries(
        tuple(pictures(CANARIES, seed=99)), tuple((number % len(TAXONOMY),) for number in range(CANARIES))
    )
    reference().save(folder)
    canaries.save(folder)
    health = bit_health(Hasher(folder).encode(pictures(50, seed=5)), BITS).as_dict()
    counts = np.bincount(reference().nearest, minlength=BITS + 1).tolist()
    return replace(made, bit_health=health, reference={"nearest_distance": counts}).write(folder)
