"""Binary class centres: Hadamard rows, or random codes kept apart; and the term that pushes centres apart."""

import torch
from scipy.linalg import hadamard
from torch import Tensor
from torch.nn.functional import normalize, softplus


def hamming(codes: Tensor) -> Tensor:
    """Hamming distance of every pair of +-1 codes float[C, bits]: float[C, C]."""
    return 0.5 * (codes.shape[1] - codes @ codes.T)


def hash_centres(classes: int, bits: int, generator: torch.Generator, tries: int = 2000) -> Tensor:
    """+-1 centres float[classes, bits] (CSQ, section 3.2).

    Rows of H and -H of the Hadamard matrix where there are enough: all pairs differ in bits/2 or bits.
    Else Bernoulli rows, each redrawn until it differs from all before it in more than bits/4; where no
    such row is found in `tries` draws, the bound falls by one, since it cannot be met in every length.
    """
    if bits & (bits - 1) == 0 and classes <= 2 * bits:
        rows = torch.from_numpy(hadamard(bits)).to(torch.get_default_dtype())
        return torch.cat([rows, -rows])[:classes]
    centres = torch.empty(classes, bits)
    bound = bits // 4 + 1
    filled = 0
    while filled < classes:
        draws = torch.randint(0, 2, (tries, bits), generator=generator) * 2.0 - 1
        if filled:
            nearest = (0.5 * (bits - draws @ centres[:filled].T)).amin(dim=1)
            draws = draws[nearest >= bound]
        if len(draws) == 0:
            bound -= 1
            continue
        centres[filled] = draws[0]
        filled += 1
    return centres


def push_apart(centres: Tensor) -> Tensor:
    """Mean over pairs i != j of log(1 + e^(bits/2 cos(mu_i, mu_j))) (DCDH, its centre similarity term).

    Zero where there is one centre alone.
    """
    count, bits = centres.shape
    unit = normalize(centres)
    terms = softplus(0.5 * bits * unit @ unit.T)
    return (terms.sum() - terms.diagonal().sum()) / max(count * (count - 1), 1)
