"""What fit() does with its configuration, seen through a network that watches."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from taxohash.objectives import AnyObjective, Batch, Setting, build
from taxohash.objectives.supervision import Labels, Pairs, Supervision, Triplets, Unlabelled
from taxohash.training.config import TrainingConfig
from taxohash.training.fit import LOG, embed, fit
from taxohash.training.staging import stage, take
from tests.support.toy import BITS, TREE, setting
from tests.support.toy_objectives import Toy, ToyConfig

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


def objective() -> AnyObjective:
    torch.manual_seed(0)
    return build("shpdh", setting(TREE, LABELS), {})


@pytest.mark.parametrize(
    ("precision", "computed"),
    [("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)],
)
def test_only_the_network_computes_in_bfloat16(precision: str, computed: torch.dtype, tmp_path: Path) -> None:
    network, loss = Small(), objective()
    config = TrainingConfig(epochs=1, batch=7, precision=precision)  # type: ignore[arg-type]
    fit(network, loss, IMAGES, config, tmp_path)
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
    fit(whole, objective(), IMAGES, config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(Interrupted(), objective(), IMAGES, config, tmp_path / "parts")
    fit(parts, objective(), IMAGES, config, tmp_path / "parts")
    assert torch.equal(whole.linear.weight, parts.linear.weight)


class Echo(nn.Module):
    """Answers with the first pixel of each image, and with its negative on two heads while it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        pixel = self.scale * images[:, 0, 0, :1].float()
        outputs = pixel.repeat(1, BITS)
        return torch.cat([outputs, -pixel, pixel / 2, pixel / 2], dim=1) if self.training else outputs


def watching(known: Supervision, views: int) -> tuple[Toy, list[Batch[Any]]]:
    """An objective with two heads that learns nothing, and where it puts the batches it is shown."""
    seen: list[Batch[Any]] = []

    class Watching(Toy):
        name = "watching"
        heads: ClassVar[dict[str, int]] = {"negative": 1, "halves": 2}

        def loss(self, batch: Batch[Any]) -> dict[str, Tensor]:
            seen.append(batch)
            return {"nothing": 0 * batch.outputs.sum()}

    Watching.views = views
    return Watching(Setting(BITS, TREE, known), ToyConfig()), seen


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize(
    ("known", "images"),
    [
        (Labels(LABELS), 1),
        (Unlabelled(20), 1),
        (Pairs(torch.arange(26).reshape(13, 2) % 20, torch.linspace(0, 1, 13)), 2),
        (Triplets(torch.arange(39).reshape(13, 3) * 7 % 20), 3),
    ],
)
def test_a_loss_sees_each_image_of_an_example_in_each_view(
    known: Supervision, images: int, views: int, tmp_path: Path
) -> None:
    plain = torch.arange(20, dtype=torch.uint8)[:, None, None, None].expand(20, 1, 8, 8).contiguous()
    objective, seen = watching(known, views)
    fit(Echo(), objective, plain, TrainingConfig(epochs=1, batch=8, augment="crop"), tmp_path)
    assert [len(batch.supervision) for batch in seen] == ([8, 8, 4] if images == 1 else [8, 5])
    for batch in seen:
        n = len(batch.supervision)
        shown = batch.rows.reshape(images, 1, n).expand(images, views, n)
        front = [size for size in (images, views) if size > 1]
        assert batch.outputs.shape == (*front, n, BITS)
        assert torch.equal(batch.outputs[..., 0].reshape(images, views, n), shown.float())
        assert torch.equal(batch.outputs[..., 0], -batch.heads["negative"].squeeze(-1))
        assert torch.equal(batch.outputs[..., 0], batch.heads["halves"].sum(dim=-1))
        if isinstance(batch.supervision, Triplets):
            assert torch.equal(batch.supervision.triplets.T, batch.rows)
    assert sorted(row for batch in seen for row in batch.rows.flatten().tolist()) == sorted(
        known.images(torch.arange(len(known))).flatten().tolist()
    )


def test_views_of_an_image_are_windows_of_their_own(tmp_path: Path) -> None:
    objective, seen = watching(Unlabelled(20), 2)
    fit(Echo(), objective, IMAGES, TrainingConfig(epochs=1, batch=20, augment="crop-flip"), tmp_path)
    first, second = seen[0].outputs[..., 0]
    assert (first != second).float().mean() > 0.5


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
