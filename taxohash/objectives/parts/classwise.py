"""Parts shared by the class-wise methods: Gaussian class likelihood, class centres.

Zhe, Chen and Yan, "Deep Class-Wise Hashing", and Zhang et al., "Semantic Hierarchy Preserving Deep Hashing".
"""

import torch
from torch import Tensor


def gaussian_logits(outputs: Tensor, centres: Tensor, inverse_variance: float) -> Tensor:
    """-s/2 ||f - mu||^2 up to a term that is the same for all classes: float[n, C].

    ||f||^2 cancels in the softmax, so it is left out, which is also the more accurate order.
    """
    return inverse_variance * (outputs @ centres.T - 0.5 * centres.square().sum(dim=1))


def class_means(outputs: Tensor, classes: Tensor, count: int, previous: Tensor) -> Tensor:
    """Mean output of each class, float[count, bits]; a class without images keeps its previous centre."""
    sums = torch.zeros(count, outputs.shape[1], dtype=torch.float64, device=outputs.device)
    sums.index_add_(0, classes, outputs.double())
    sizes = torch.bincount(classes, minlength=count).unsqueeze(1)
    return torch.where(sizes > 0, sums / sizes.clamp_min(1), previous.double()).to(outputs)
