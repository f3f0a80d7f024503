"""Packed binary codes and their health.

A code of `bits` bits is stored in ceil(bits/8) bytes, most significant bit first, padding bits zero.
"""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError

Codes = npt.NDArray[np.uint8]


def code_bytes(bits: int) -> int:
    """Bytes of one packed code."""
    return (bits + 7) // 8


def check(codes: npt.ArrayLike, bits: int, what: str = "codes", rows: int | None = None) -> Codes:
    """The codes as an array, if they are packed codes of `bits` bits: uint8[N, ceil(bits/8)], padding zero.

    Args:
        what: names them in errors.
        rows: N, where it is known how many there must be.

    Raises:
        TaxohashError: another dtype or shape, or a set bit beyond `bits`, which would count in every distance.
    """
    if bits < 1:
        raise TaxohashError(f"{what} have {bits} bits: a code has at least one")
    try:
        array: npt.NDArray[Any] = np.asarray(codes)
    except ValueError:  # rows of different lengths
        array = np.empty(0, object)
    width = code_bytes(bits)
    fits = array.ndim == 2 and array.shape[1] == width and (rows is None or len(array) == rows)
    if array.dtype != np.uint8 or not fits:
        raise TaxohashError(
            f"{what} are {array.dtype}{list(array.shape)}: {bits} bits need "
            f"uint8[{'N' if rows is None else rows}, {width}], packed by taxohash.codes.pack or numpy.packbits"
        )
    if bits % 8 and len(array) and int(np.bitwise_or.reduce(array[:, -1])) & (0xFF >> bits % 8):
        raise TaxohashError(
            f"{what} have bits set beyond the first {bits}: pass their own bits, or clear the padding"
        )
    return array


def pack(outputs: npt.NDArray[np.float32]) -> Codes:
    """Binarise network outputs float[N, bits] with b = 1 where f >= 0; uint8[N, ceil(bits/8)]."""
    return np.packbits(outputs >= 0, axis=1)


def unpack(codes: Codes, bits: int) -> npt.NDArray[np.uint8]:
    """The bits of packed codes: uint8[N, bits] of 0 and 1.

    Raises:
        TaxohashError: see `check`.
    """
    return np.unpackbits(check(codes, bits), axis=1, count=bits)


@dataclass(frozen=True)
class Queries:
    """What pictures ask with: a network's outputs, whose signs are the codes and whose magnitudes their bits' weights.

    Codes x are ranked by sum_j |f_j| [sign f_j != x_j], f the outputs: what the query is unsure of counts less.

    Attributes:
        outputs: float32[N, bits].
        novelty: float32[N, 2], how unlike what the hasher was made of each picture is, by its features and by its contrasts; None
            where the hasher does not tell.
    """

    outputs: npt.NDArray[np.float32]
    novelty: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.outputs)

    @cached_property
    def codes(self) -> Codes:
        """uint8[N, ceil(bits/8)]."""
        return pack(self.outputs)

    @property
    def weights(self) -> npt.NDArray[np.float32]:
        """float32[N, bits], see `HammingIndex.search`."""
        return np.abs(self.outputs)

    def shares(self, distances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Weighted distances float64[N, k] as shares of all of a query's weights, 0 to 1 to six places; 0 where nothing weighs."""
        total = self.weights.sum(axis=1, keepdims=True, dtype=np.float64)
        shares: npt.NDArray[np.float64] = distances / np.where(total > 0, total, 1.0)
        return shares.clip(max=1.0).round(6)


@dataclass(frozen=True)
class BitHealth:
    """How well a set of codes uses its bits.

    Attributes:
        entropy: mean entropy of a bit, in bits (1 is best).
        balance: share of ones for each bit; 0.5 is best.
        dead_bits: bits that never change.
        correlation: mean absolute correlation between pairs of live bits; 0 is best.
        distinct_codes: number of different codes.
    """

    entropy: float
    balance: list[float]
    dead_bits: int
    correlation: float
    distinct_codes: int

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def bit_health(codes: Codes, bits: int) -> BitHealth:
    """Health of packed codes uint8[N, B], N >= 1."""
    ones = unpack(codes, bits).astype(np.float64)
    share = ones.mean(axis=0)
    alive = (share > 0) & (share < 1)
    p = share[alive]
    entropy = float(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).sum() / bits)
    live = int(alive.sum())
    correlation = 0.0
    if live > 1:
        matrix = np.corrcoef(ones[:, alive], rowvar=False)
        correlation = float((np.abs(matrix).sum() - live) / (live * (live - 1)))
    return BitHealth(
        entropy=entropy,
        balance=[round(float(s), 6) for s in share],
        dead_bits=bits - live,
        correlation=correlation,
        distinct_codes=len(np.unique(codes, axis=0)),
    )
