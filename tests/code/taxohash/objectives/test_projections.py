"""Methods on given features: closed forms, checked by what they minimise."""

import pytest
import torch

from taxohash.errors import TaxohashError
from taxohash.objectives import build
from taxohash.objectives.base import Projection
from taxohash.objectives.itq import principal_components, rotate_to_cube
from tests.support.toy import TREE, setting


@pytest.fixture
def features() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(400, 24, generator=generator) @ torch.randn(24, 24, generator=generator) + 5


def quantisation_error(vectors: torch.Tensor) -> float:
    return float((torch.where(vectors >= 0, 1.0, -1.0) - vectors).square().sum())


def test_itq_rotates_the_components_and_lowers_the_quantisation_error(features: torch.Tensor) -> None:
    mean, components = principal_components(features, 8)
    torch.testing.assert_close(components.T @ components, torch.eye(8), atol=1e-5, rtol=0)
    projected = (features - mean) @ components
    variances = projected.var(dim=0)
    assert (variances[:-1] >= variances[1:] - 1e-4).all()
    assert variances.sum() == pytest.approx(
        float(torch.linalg.svdvals(features - mean)[:8].square().sum() / 399), rel=1e-4
    )
    errors = []
    for iterations in (0, 1, 5, 50):
        rotation = rotate_to_cube(projected, iterations, torch.Generator().manual_seed(1))
        torch.testing.assert_close(rotation.T @ rotation, torch.eye(8), atol=1e-5, rtol=0)
        errors.append(quantisation_error(projected @ rotation))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0]


@pytest.mark.parametrize("name", ["itq", "ssq", "lsh"])
def test_projections_are_centred_and_repeatable(name: str, features: torch.Tensor) -> None:
    labels = torch.zeros(400, dtype=torch.int64)
    first, second = (build(name, setting(TREE, labels), {"seed": 4}) for _ in range(2))
    assert isinstance(first, Projection)
    assert isinstance(second, Projection)
    weight, bias = first.solve(features)
    assert weight.shape == (16, 24)
    assert torch.equal(weight, second.solve(features)[0])
    share = ((features @ weight.T + bias) >= 0).float().mean(dim=0)
    assert ((share > 0.3) & (share < 0.7)).all()


def test_ssq_learns_from_its_rows_alone(features: torch.Tensor) -> None:
    labels = torch.zeros(400, dtype=torch.int64)
    objective = build("ssq", setting(TREE, labels), {"rows": 50})
    assert isinstance(objective, Projection)
    drawn = torch.randperm(400, generator=torch.Generator().manual_seed(0))[:50]
    kept = torch.full_like(features, 1e6)
    kept[drawn] = features[drawn]
    torch.testing.assert_close(objective.solve(kept)[0], objective.solve(features)[0])


def test_more_bits_than_dimensions_are_refused(features: torch.Tensor) -> None:
    with pytest.raises(TaxohashError, match="25 bits need 25 feature dimensions"):
        principal_components(features, 25)
