"""What fit() does with its configuration, seen through a network that watches."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from taxohash.errors import TaxohashError
from taxohash.objectives import Objective, build
from taxohash.training.config import TrainingConfig
from taxohash.training.fit import LOG, embed, fit
from taxohash.training.staging import stage, take
from tests.support.toy import BITS, TREE, setting

LABELS = torch.arange(20) % len(TREE)
IMAGES = torch.randint(0, 256, (20, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


class Small(nn.Module):
    """A linear network that keeps the type of its outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.types = nn.Linear(64, BITS), set[torch.dtype]()

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.linear(images.flatten(1).float() / 255)
        self.types.add(outputs.dtype)
        return outputs


def objective() -> Objective[Any]:
    torch.manual_seed(0)
    return build("shpdh", setting(TREE, LABELS), {})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"precision": "int8"}, "precision = 'int8': use one of auto, float32, bfloat16"),
        ({"augment": "mixup"}, "augment = 'mixup': use one of none, crop, crop-flip"),
        ({"optimiser": "lion"}, "optimiser = 'lion': use one of adam, sgd"),
    ],
)
def test_choices_are_named(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(TaxohashError, match=said):
        TrainingConfig(**changed)


@pytest.mark.parametrize(
    ("precision", "computed"),
    [("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)],
)
def test_only_the_network_computes_in_bfloat16(precision: str, computed: torch.dtype, tmp_path: Path) -> None:
    network, loss = Small(), objective()
    config = TrainingConfig(epochs=1, batch=7, precision=precision)  # type: ignore[arg-type]
    fit(network, loss, IMAGES, LABELS, config, tmp_path)
    assert network.types == {computed}
    assert {tensor.dtype for tensor in network.state_dict().values()} == {torch.float32}
    assert loss.class_codes().dtype == torch.float32  # type: ignore[union-attr]


def test_an_augmented_run_continues_as_an_uninterrupted_one(tmp_path: Path) -> None:
    config = TrainingConfig(epochs=2, batch=7, augment="crop-flip")

    class Interrupted(Small):
        def forward(self, images: Tensor) -> Tensor:
            if (tmp_path / "parts" / LOG).exists():
                raise KeyboardInterrupt
            return super().forward(images)

    whole, parts = Small(), Small()
    fit(whole, objective(), IMAGES, LABELS, config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(Interrupted(), objective(), IMAGES, LABELS, config, tmp_path / "parts")
    fit(parts, objective(), IMAGES, LABELS, config, tmp_path / "parts")
    assert torch.equal(whole.linear.weight, parts.linear.weight)


def test_outputs_come_in_the_order_of_the_rows() -> None:
    network = Small()
    assert torch.allclose(embed(network, IMAGES, batch=7), network(IMAGES), atol=1e-6)


def test_on_cpu_inputs_stay_where_they_are() -> None:
    assert stage(IMAGES, "cpu") is IMAGES
    rows = torch.tensor([3, 1, 3])
    assert torch.equal(take(IMAGES, rows, "cpu"), IMAGES[[3, 1, 3]])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("resident", [0.0, 0.25])
def test_on_cuda_rows_arrive_unchanged(resident: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxohash.training.staging.RESIDENT", resident)
    staged = stage(IMAGES, "cuda")
    assert staged.is_cuda == (resident > 0)
    found = take(staged, torch.tensor([3, 1, 3]), "cuda")
    assert found.is_cuda
    assert torch.equal(found.cpu(), IMAGES[[3, 1, 3]])
