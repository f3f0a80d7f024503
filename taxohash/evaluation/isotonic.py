"""Isotonic regression: the monotone curve that is nearest to outcomes, by pooling adjacent violators (Ayer et al., 1955)."""

import numpy as np
import numpy.typing as npt

from taxohash.generation.calibration import Curve

Floats = npt.NDArray[np.float64]
KNOTS = 50  # groups of equal mass that outcomes are first gathered in, at most
MASS = 100  # outcomes of a group, at least
DIGITS = 6


def pooled(values: Floats, weights: Floats) -> Floats:
    """The rising values float64[N] with the least weighted squared distance to `values`; weights are above 0."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, total, count = value, weight, 1
        while blocks and blocks[-1][0] >= mean:
            before, own, several = blocks.pop()
            mean, total, count = (before * own + mean * total) / (own + total), own + total, several + count
        blocks.append((mean, total, count))
    return np.repeat([mean for mean, _, _ in blocks], [count for _, _, count in blocks])


def fitted(scores: Floats, outcomes: npt.NDArray[np.bool_], rises: bool) -> Curve:
    """The curve of outcomes bool[N] over scores float64[N], N >= 1, which rises or falls.

    Scores are gathered in groups of equal mass, equal scores in one; each counts one outcome at the base rate beside its own, so
    that no probability is 0 or 1. Of outcomes that imply others, over the same scores, the curve is nowhere above that of
    the others.
    """
    groups = min(max(len(scores) // MASS, 1), KNOTS)
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, groups + 1)[1:-1], method="lower"))
    which = np.searchsorted(edges, scores)
    numbers = np.bincount(which, minlength=len(edges) + 1).astype(np.float64)
    held = numbers > 0
    counts = numbers[held]
    centres = np.bincount(which, scores, minlength=len(numbers))[held] / counts
    true = np.bincount(which, outcomes, minlength=len(numbers))[held] + float(outcomes.mean())
    sign = 1.0 if rises else -1.0
    return _curve(centres, sign * pooled(sign * true / (counts + 1), counts + 1))


def _curve(centres: Floats, probabilities: Floats) -> Curve:
    """Without the knots between equal ones, or that rounding makes equal."""
    at, values = centres.round(DIGITS), probabilities.round(DIGITS).clip(0, 1)
    inner = np.zeros(len(at), np.bool_)
    inner[1:-1] = (values[1:-1] == values[:-2]) & (values[1:-1] == values[2:])
    at, first = np.unique(at[~inner], return_index=True)
    return Curve(scores=tuple(at.tolist()), probabilities=tuple(values[~inner][first].tolist()))
