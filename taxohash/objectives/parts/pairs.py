"""Parts shared by the methods that learn from pairs of a batch."""

import torch
from torch import Tensor
from torch.nn.functional import softplus


def distinct(labels: Tensor) -> Tensor:
    """bool[n, n]: the pairs of different images of a batch."""
    return ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)


def same_label(labels: Tensor) -> Tensor:
    """bool[n, n]: the pairs with one label."""
    return labels[:, None] == labels[None, :]


def mean_over_pairs(values: Tensor) -> Tensor:
    """Mean of a value a pair; zero, not NaN, where there is no pair."""
    return values.mean() if len(values) else values.sum()


def negative_log_likelihood(logits: Tensor, similar: Tensor) -> Tensor:
    """log(1 + e^t) - s t of each pair, with P(s = 1) = sigmoid(t)."""
    return softplus(logits) - similar * logits
