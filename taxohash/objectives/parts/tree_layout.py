"""A binary code for the leaves of a tree in which distances follow the tree.

If every node's code were its parent's with each bit turned with probability rho, and the coarsest codes
were random, two leaves that agree at their a coarsest levels of K would on average differ in
q/2 (1 - (1 - 2 rho)^(2 (K - a))) bits, and in q/2 where they agree at none. These means are the targets;
annealing meets them for every single pair as well as it can, where chance would scatter around them.
"""

import numpy as np
import numpy.typing as npt

from taxohash.taxonomy import Taxonomy

Floats = npt.NDArray[np.float64]
ANNEALING = 200  # sweeps; the temperature falls as the square of what is left of them
SETTLING = 50  # sweeps at most at temperature 0, or until no bit turns any more
HOTTEST = 0.05  # times the number of classes


def tree_code(taxonomy: Taxonomy, bits: int, flip: float, seed: int) -> Floats:
    """+-1 codes float64[labels, bits] near their distance targets, by simulated annealing from random ones."""
    rng = np.random.default_rng(seed)
    start = rng.choice([-1.0, 1.0], (len(taxonomy), bits))
    left = 1 - np.arange(ANNEALING) / ANNEALING
    temperatures = np.append(HOTTEST * len(taxonomy) * left**2, np.zeros(SETTLING))
    targets = distance_targets(taxonomy, bits, flip)
    return annealed(start, targets, pair_weights(taxonomy, targets), temperatures, rng)


def distance_targets(taxonomy: Taxonomy, bits: int, flip: float) -> Floats:
    """Wanted Hamming distances, float64[labels, labels]."""
    steps = 2.0 * (taxonomy.depth - np.arange(taxonomy.depth + 1, dtype=np.float64))
    targets = bits / 2 * (1 - np.power(1 - 2 * flip, steps))
    targets[0] = bits / 2
    wanted: Floats = targets[taxonomy.agreement]
    return wanted


def pair_weights(taxonomy: Taxonomy, targets: Floats) -> Floats:
    """Weights of pairs, float64[labels, labels]; own pairs have none.

    Each grade of kinship has the same total: siblings are few, and their distance would give way to that of the
    many strangers. Within it weights fall with the target: one bit more or less matters most where few are meant.
    """
    agreement = taxonomy.agreement
    others = ~np.eye(len(agreement), dtype=bool)
    weights: Floats = np.zeros(agreement.shape)
    for grade in np.unique(agreement[others]):
        pairs = others & (agreement == grade)
        weights[pairs] = 1 / pairs.sum()
    weights *= others.sum() / max(weights.sum(), 1e-12)
    scale = targets[others].mean() / 2 if others.any() else 1.0
    weights[others] *= scale / np.maximum(targets[others], 1.0)
    return weights


def annealed(
    codes: Floats,
    targets: Floats,
    weights: Floats,
    temperatures: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Lower sum_{i<j} w_ij (d_ij - t_ij)^2 over Hamming distances d by turning single bits.

    Args:
        codes: +-1, float64[n, bits], where it starts.
        targets, weights: float64[n, n], symmetric.
        temperatures: one for each sweep over the classes; 0 takes only what lowers the energy.
        rng: of the order of classes and of what is tried.
    """
    codes = codes.copy()
    distances = (codes.shape[1] - codes @ codes.T) / 2
    totals = weights.sum(axis=1)
    for temperature in temperatures:
        turned = 0
        for i in rng.permutation(len(codes)):
            steps = codes[i][:, None] * codes.T  # by which a turned bit changes the distance to each class
            rise = 2 * steps @ (weights[i] * (distances[i] - targets[i])) + totals[i]
            random = temperature > 0 and rng.random() < 0.5
            bit = int(rng.integers(len(rise)) if random else rise.argmin())
            if rise[bit] < 0 or (temperature > 0 and rng.random() < np.exp(-rise[bit] / temperature)):
                distances[i] += steps[bit]
                distances[i, i] = 0
                distances[:, i] = distances[i]
                codes[i, bit] *= -1
                turned += 1
        if temperature == 0 and turned == 0:
            break
    return codes
