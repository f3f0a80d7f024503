"""Codes to search: uniform, clustered evenly and unevenly, duplicated, and real ones."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes, unpack
from taxohash.networks.hashing import encode_pixels
from taxohash.training.config import HasherConfig
from taxohash.training.run import train

COARSE, FINE = 20, 500
CHUNK = 1 << 20

Floats = npt.NDArray[np.floating]


def flip(rng: np.random.Generator, codes: Codes, rates: Floats) -> Codes:
    """Codes with bit j flipped with probability rates[j]."""
    flipped = codes.copy()
    for start in range(0, len(codes), CHUNK):
        part = flipped[start : start + CHUNK]
        part ^= np.packbits(rng.random((len(part), len(rates)), dtype=np.float32) < rates, axis=1)
    return flipped


def clustered(
    rng: np.random.Generator, count: int, bits: int, noise: float, shares: Floats | None = None
) -> Codes:
    """A fine centre with a share `noise` of its bits flipped; 500 fine centres, 15 % from one of 20 coarse ones.

    Args:
        shares: of the codes at each fine centre, float[500]; None: as many at each.
    """
    fixed = np.random.default_rng(1)
    coarse = np.packbits(fixed.integers(0, 2, (COARSE, bits), dtype=np.uint8), axis=1)
    fine = flip(fixed, coarse[np.arange(FINE) % COARSE], np.full(bits, 0.15, np.float32))
    drawn = rng.integers(0, FINE, count) if shares is None else rng.choice(FINE, count, p=shares)
    return flip(rng, fine[drawn], np.full(bits, noise, np.float32))


def synthetic(kind: str, count: int, bits: int, seed: int) -> Codes:
    """`count` codes of one of the kinds "uniform", "c02", "c10", "zipf", "duplicates" (1000 different codes).

    Of "zipf" the class of rank r has a share of 1 / r, as in a real catalogue: 17 of 500 hold half; a tenth of the bits is flipped.
    """
    rng = np.random.default_rng(seed)
    if kind in ("c02", "c10"):
        return clustered(rng, count, bits, int(kind[1:]) / 100)
    if kind == "zipf":
        shares = 1 / np.arange(1, FINE + 1)
        return clustered(rng, count, bits, 0.1, shares / shares.sum())
    codes = rng.integers(0, 256, (count if kind == "uniform" else 1000, bits // 8), dtype=np.uint8)
    if kind == "duplicates":
        codes = np.random.default_rng(1).integers(0, 256, codes.shape, dtype=np.uint8)[
            rng.integers(0, 1000, count)
        ]
    return codes


def real(data: Path, work: Path, bits: int) -> tuple[Codes, Codes, npt.NDArray[np.int32], str]:
    """Codes of the train and the test images of a dataset, the train labels, and in words how they were made.

    The hasher is trained with the defaults; a finished run in `work` is used again.
    """
    run = train(data, work, HasherConfig(bits=bits))
    dataset, network = run.dataset(data), run.network()
    train_codes, test_codes = (
        encode_pixels(network, dataset.pixels(split, network.preprocessing)) for split in ("train", "test")
    )
    made_by = f"{run.config.objective.name}, {bits} bits, {run.config.training.epochs} epochs on {dataset.taxonomy.name}"
    return train_codes, test_codes, dataset.labels("train"), made_by


def resampled(
    rng: np.random.Generator, codes: Codes, labels: npt.NDArray[np.int32], count: int, bits: int
) -> Codes:
    """`count` codes: real ones drawn at random, each bit flipped at the rate that explains pairs of one class.

    Where two codes of a class differ in a bit with probability p, both were flipped at a rate f with 2 f (1 - f) = p.
    """
    order = np.lexsort((rng.random(len(labels)), labels))
    same = labels[order[1:]] == labels[order[:-1]]
    pairs = codes[order[1:]][same] ^ codes[order[:-1]][same]
    differ = np.minimum(unpack(pairs, bits).mean(axis=0, dtype=np.float64), 0.5)
    rates = (0.5 * (1 - np.sqrt(1 - 2 * differ))).astype(np.float32)
    return flip(rng, codes[rng.integers(0, len(codes), count)], rates)
