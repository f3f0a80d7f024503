"""How far two samples are apart, by what is counted of them; of many pairs of samples at once. Pure.

    bits        mean over the bits of the population stability index (PSI) of their being set
    worst_bit   the greatest of these
    entropy     how far the mean entropy of a bit, in bits, is from what it was
    nearest     how much larger the share of pictures farther than d from every item is, at the distance d where it is most so: the
                one-sided Kolmogorov-Smirnov distance. Nearer is no drift: so is what is asked of a catalogue that has grown.
    classes     PSI of the shares of the top nodes, "none was sure" among them
    unlike      how much larger the share of pictures that are like nothing known is
    recall      how much lower the canaries' recall@10 is, of each level; see `noise`

The PSI of shares p and q is sum (p - q) ln(p / q), each share taken as if every cell had half a picture more.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def shares(sums: Mapping[str, Floats], total: float) -> dict[str, Floats]:
    """What the sums float64[..., C] of each part are of all pictures; classes are shares of those that have one."""
    found = {name: part / total for name, part in sums.items()}
    if "classes" in sums:
        found["classes"] = sums["classes"] / np.maximum(sums["classes"].sum(axis=-1, keepdims=True), 1e-12)
    return found


def statistics(
    before: Mapping[str, Floats], now: Mapping[str, Floats], count: float, now_count: float
) -> dict[str, Floats]:
    """Each statistic that both have the parts of, float64[...], by name.

    Args:
        before, now: shares float64[..., C] of each part.
        count, now_count: how many pictures they are of; of weighted ones how many would tell as much.
    """
    found: dict[str, Floats] = {}
    if "bits" in now:
        of_bits = bit_psi(before["bits"], now["bits"], count, now_count)
        found["bits"], found["worst_bit"] = of_bits.mean(axis=-1), of_bits.max(axis=-1)
        found["entropy"] = np.abs(entropy(now["bits"]) - entropy(before["bits"]))
    if "nearest" in now:
        found["nearest"] = (now["nearest"] - before["nearest"]).max(axis=-1)
    if "classes" in now:
        found["classes"] = psi(before["classes"], now["classes"], count, now_count)
    if "unlike" in now:
        found["unlike"] = (now["unlike"] - before["unlike"])[..., 0]
    return found


def psi(before: Floats, now: Floats, count: float | Floats, now_count: float | Floats) -> Floats:
    """float64[...]: the population stability index of shares float64[..., C] of so many pictures, or float64[..., 1] many."""
    cells = before.shape[-1]
    p = (before * count + 0.5) / (count + 0.5 * cells)
    q = (now * now_count + 0.5) / (now_count + 0.5 * cells)
    found: Floats = ((q - p) * np.log(q / p)).sum(axis=-1)
    return found


def bit_psi(before: Floats, now: Floats, count: float, now_count: float) -> Floats:
    """float64[..., bits]: that of each bit's being set or not, of shares float64[..., bits] of ones."""
    p = (before * count + 0.5) / (count + 1)
    q = (now * now_count + 0.5) / (now_count + 1)
    found: Floats = (q - p) * (np.log(q / p) - np.log((1 - q) / (1 - p)))
    return found


def entropy(ones: Floats) -> Floats:
    """float64[...]: mean entropy of a bit, in bits, of shares float64[..., bits] of ones."""
    p = np.clip(ones, 1e-12, 1 - 1e-12)
    found: Floats = -(p * np.log2(p) + (1 - p) * np.log2(1 - p)).mean(axis=-1)
    return found


def effective(weights: Floats) -> float:
    """How many pictures of equal weight tell as much as those of weights float64[N]: (sum w)^2 / sum w^2."""
    total = float(weights.sum())
    return total * total / float(np.square(weights).sum()) if total else 0.0
