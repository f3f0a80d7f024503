"""Outputs and the vertices of the hyper-cube: signs, and the terms that pull outputs there."""

import torch
from torch import Tensor


def signs(outputs: Tensor) -> Tensor:
    """+1 where f >= 0, else -1, as constants."""
    return torch.where(outputs.detach() >= 0, 1.0, -1.0)


def cubic_constraint(outputs: Tensor, margin: float) -> Tensor:
    """Mean over images of sum_j [|f_j| - margin]_+ : keeps outputs inside the hyper-cube."""
    return (outputs.abs() - margin).clamp_min(0).sum(dim=1).mean()


def vertex_constraint(outputs: Tensor) -> Tensor:
    """Mean over images of ||sign(f) - f||^2: pulls outputs to the vertices of the hyper-cube."""
    signs = torch.where(outputs >= 0, 1.0, -1.0)
    return (signs - outputs).square().sum(dim=1).mean()
