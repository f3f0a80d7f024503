"""Backbones by name: what they take, what travels with them, and what is refused."""

import sys
from pathlib import Path

import pytest
import torch

from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.images import Preprocessing
from taxohash.networks import efficientnet
from taxohash.networks.backbones import find_backbone
from taxohash.networks.hashing import hidden_layers, network
from taxohash.training.config import HasherConfig, NetworkConfig, TrainingConfig
from taxohash.training.run import Run, train
from tests.support.miniature import make_dataset


def images(side: int, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, channels, side, side), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_small_resnet(channels: int) -> None:
    made = network("small-resnet", 48, 28, channels).eval()
    assert made(images(28, channels)).shape == (2, 48)
    assert made.preprocessing == Preprocessing(
        28,
        channels,  # type: ignore[arg-type]
        "pad",
        (127.5,) * channels,
        (64.0,) * channels,
    )


def test_heads_answer_while_it_trains_and_change_nothing_else() -> None:
    torch.manual_seed(0)
    plain = network("small-resnet", 16, 28, 1)
    torch.manual_seed(0)
    made = network("small-resnet", 16, 28, 1, heads={"classes": 5, "more": 3})
    assert [head.out_features for head in made.heads.values()] == [5, 3]
    with torch.no_grad():
        outputs = made(images(28, 1))
        assert outputs.shape == (2, 16 + 5 + 3)
        assert torch.equal(outputs[:, :16], plain(images(28, 1)))
        assert torch.equal(made.eval()(images(28, 1)), plain.eval()(images(28, 1)))


def test_efficientnet_lite0_has_its_weights_and_its_own_preprocessing() -> None:
    made = network("efficientnet_lite0", 32, 96, 3).eval()
    assert made.preprocessing == efficientnet.preprocessing(96)
    with torch.no_grad():
        outputs = made(images(96))
        features = efficientnet.EfficientNetLite0(96).eval()((images(96).float() - 127) / 128)
        assert torch.allclose(outputs, made.hash(features), atol=1e-5)
    assert outputs.shape == (2, 32)


def test_weights_that_will_be_replaced_are_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "WEIGHTS_SHA256", "other")
    with pytest.raises(TaxohashError, match="reinstall"):
        network("efficientnet_lite0", 32, 64, 3)
    network("efficientnet_lite0", 32, 64, 3, pretrained=False)


def test_a_pretrained_network_takes_grey_pictures_as_rgb(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", train=12, test=6)
    run = train(
        data.folder,
        tmp_path / "run",
        HasherConfig(
            bits=16,
            network=NetworkConfig(name="efficientnet_lite0"),
            training=TrainingConfig(epochs=1, batch=6),
        ),
    )
    assert (run.config.network.size, run.config.network.channels) == (
        64,
        3,
    )  # pictures of 16 px, the network's least is 64
    made = Run.open(run.folder).network()
    pixels = Dataset.open(data.folder).pixels("test", made.preprocessing)
    assert made(torch.from_numpy(pixels)).shape == (6, 16)


def test_timm_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(TaxohashError, match=r"network 'timm/resnet18' needs timm .*: install timm"):
        network("timm/resnet18", 16, 96, 3)


def test_any_timm_backbone() -> None:
    timm = pytest.importorskip("timm")
    made = network("timm/resnet18", 16, 96, 3, pretrained=False).eval()
    assert made(images(96)).shape == (2, 16)
    published = timm.get_pretrained_cfg("resnet18")
    assert made.preprocessing.mean == pytest.approx([255 * value for value in published.mean])
    with pytest.raises(TaxohashError, match="timm has no model 'none'"):
        find_backbone("timm/none")


@pytest.mark.parametrize(
    ("name", "bits", "size", "channels", "said"),
    [
        (
            "huge",
            16,
            64,
            3,
            "network 'huge' is not known: use one of small-resnet, efficientnet_lite0, timm/NAME",
        ),
        ("efficientnet_lite0", 16, 32, 3, "takes images of 64 to 320 px, not 32"),
        ("efficientnet_lite0", 16, 96, 1, r"channels = 1: network 'efficientnet_lite0' takes images in RGB"),
        ("small-resnet", 16, 28, 2, r"takes images in grey \(1\) or RGB \(3\)"),
    ],
)
def test_what_does_not_fit_is_one_line(name: str, bits: int, size: int, channels: int, said: str) -> None:
    with pytest.raises(TaxohashError, match=said) as caught:
        network(name, bits, size, channels)
    assert "\n" not in str(caught.value)


def test_branches_share_the_features_and_nothing_else() -> None:
    neck, hashed = hidden_layers(5, 4, 6, branches=3)
    features = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    hidden = neck.eval()(features)
    outputs = hashed(hidden)
    for branch in range(3):
        own, weights = slice(2 * branch, 2 * branch + 2), dict(hashed.named_parameters())
        part = hidden[:, 4 * branch : 4 * branch + 4]
        expected = part @ weights["weight"][own].T + weights["bias"][own]
        torch.testing.assert_close(outputs[:, own], expected)
