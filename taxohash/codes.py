"""Packed binary codes and their health.

A code of `bits` bits is stored in ceil(bits/8) bytes, most significant bit first, padding bits zero.
"""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError

Codes = npt.NDArray[np.uint8]


def code_bytes(bits: int) -> int:
    """Bytes of one packed code."""
    return (bits + 7) // 8


def pack(outputs: npt.NDArray[np.float32]) -> Codes:
    """Binarise network outputs float[N, bits] with b = 1 where f >= 0; uint8[N, ceil(bits/8)]."""
    return np.packbits(outputs >= 0, axis=1)


def unpack(codes: Codes, bits: int) -> npt.NDArray[np.uint8]:
    """The bits of packed codes: uint8[N, bits] of 0 and 1.

    Raises:
        TaxohashError: the codes do not have ceil(bits/8) bytes a row.
    """
    if codes.ndim != 2 or codes.shape[1] != code_bytes(bits):
        raise TaxohashError(
            f"codes have shape {codes.shape}; {bits} bits need [N, {code_bytes(bits)}]: pass the bits they were made with"
        )
    return np.unpackbits(codes, axis=1, count=bits)


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
