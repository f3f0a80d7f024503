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
HOTTEST = 0.05  # times the number of classes


def distance_targets(taxonomy: Taxonomy, bits: int, flip: float) -> Floats:
    """Wanted Hamming distances, float64[labels, labels]."""
    steps = 2.0 * (taxonomy.depth - np.arange(taxonomy.depth + 1, dtype=np.float64))
    targets = bits / 2 * (1 - np.power(1 - 2 * flip, steps))
    targets[0] = bits / 2
    wanted: Floats = targets[taxonomy.agreement]
    return wanted


def pair_weights(taxonomy: Taxonomy) -> Floats:
    """Weights of pairs, float64[labels, labels]: each grade of kinship has the same sum, the mean is 1, own pairs 0.

    Siblings are few; without this their distance would give way to that of the many strangers.
    """
    agreement = taxonomy.agreement
    others = ~np.eye(len(agreement), dtype=bool)
    weights: Floats = np.zeros(agreement.shape)
    for grade in np.unique(agreement[others]):
        pairs = others & (agreement == grade)
        weights[pairs] = 1 / pairs.sum()
    weights *= others.sum() / max(weights.sum(), 1e-12)
    return weights


def random_tree_code(taxonomy: Taxonomy, bits: int, flip: float, seed: int) -> Floats:
    """+-1 codes float64[labels, bits] near their distance targets, by simulated annealing from random ones."""
    rng = np.random.default_rng(seed)
    start = rng.choice([-1.0, 1.0], (len(taxonomy), bits))
    left = 1 - np.arange(ANNEALING) / ANNEALING
    temperatures = HOTTEST * len(taxonomy) * left**2
    targets, weights = distance_targets(taxonomy, bits, flip), pair_weights(taxonomy)
    return arranged(start, targets, weights, np.zeros_like(start), temperatures, rng)


def arranged(
    codes: Floats,
    targets: Floats,
    weights: Floats,
    pull: Floats,
    temperatures: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Lower sum_{i<j} w_ij (d_ij - t_ij)^2 - sum_i <pull_i, c_i> by turning single bits.

    Args:
        codes: +-1, float64[n, bits], where it starts.
        targets, weights: float64[n, n], symmetric.
        pull: float64[n, bits]; a bit is drawn to its sign.
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
            rise = 2 * steps @ (weights[i] * (distances[i] - targets[i])) + totals[i] + 2 * pull[i] * codes[i]
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
