"""The network that suits the pictures, and one whose backbone stays as it is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from taxohash.datasets import Dataset
from taxohash.datasets.shape import PictureShape
from taxohash.errors import TaxohashError
from taxohash.evaluation.baseline import measure_yardsticks
from taxohash.evaluation.run import evaluate_generation, evaluate_run
from taxohash.images import Pixels
from taxohash.networks import automatic
from taxohash.networks.backbones import find_backbone
from taxohash.networks.features import Extractor, Features
from taxohash.release.export import export
from taxohash.runtime.configuration import replaced
from taxohash.training.checkpoint import save_checkpoint
from taxohash.training.config import HasherConfig
from taxohash.training.run import FEATURES, Run, train
from taxohash.training.shaping import ShapedNetworkConfig, shaped
from tests.support.miniature import HASHER, make_dataset

FROZEN = replaced(
    HASHER, {"network.name": "auto", "network.freeze": True, "network.size": 64, "objective.name": "treecode"}
)


def pictures(side: int, grey: bool = False) -> PictureShape:
    return PictureShape(np.array([side] * 5), 5 * grey)


@pytest.mark.parametrize(
    ("side", "grey", "chosen", "expected"),
    [
        (32, False, {}, ("efficientnet_lite0", 128, 3, True)),
        (400, False, {}, ("efficientnet_lite0", 128, 3, True)),
        (64, True, {}, ("efficientnet_lite0", 128, 3, True)),
        (28, True, {}, ("small-resnet", 28, 1, False)),
        (28, True, {"network.freeze": True}, ("efficientnet_lite0", 128, 3, True)),
        (40, False, {"training.augment": "crop"}, ("small-resnet", 40, 3, False)),
        (40, False, {"network.freeze": False}, ("small-resnet", 40, 3, False)),
        (40, False, {"network.size": 32}, ("small-resnet", 32, 3, False)),
        (40, False, {"network.size": 96}, ("efficientnet_lite0", 96, 3, True)),
        (40, False, {"network.channels": 1}, ("small-resnet", 40, 1, False)),
        (40, True, {"network.name": "small-resnet"}, ("small-resnet", 40, 1, False)),
        (400, False, {"network.name": "small-resnet"}, ("small-resnet", 64, 3, False)),
        (400, False, {"network.name": "efficientnet_lite0"}, ("efficientnet_lite0", 320, 3, False)),
        (
            40,
            False,
            {"network.name": "efficientnet_lite0", "network.freeze": True},
            ("efficientnet_lite0", 64, 3, True),
        ),
    ],
)
def test_what_is_left_out_suits_the_pictures(
    side: int, grey: bool, chosen: dict[str, Any], expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automatic, "installed", lambda: True)
    found = shaped(replaced(HasherConfig(), chosen).completed(), pictures(side, grey))
    assert (found.name, found.size, found.channels, found.freeze) == expected


def test_without_the_weights_a_small_network_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic, "PACKAGES", ("of_no_such_package",))
    assert shaped(HasherConfig().completed(), pictures(48)) == ShapedNetworkConfig(
        name="small-resnet", size=48, channels=3
    )
    with pytest.raises(TaxohashError, match="takes images of 16 to 64 px, not 96"):
        replaced(HasherConfig(), {"network.size": 96}).completed()


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"network.size": 8}, "network 'auto' takes images of 16 to 320 px, not 8"),
        ({"network.size": 32, "network.freeze": True}, "takes images of 64 to 320 px, not 32"),
        ({"network.channels": 1, "network.freeze": True}, "takes images in RGB"),
        ({"network.name": "small-resnet", "network.freeze": True}, "has no pretrained weights that freeze"),
        ({"network.freeze": True, "training.augment": "crop"}, "use augment = 'none' or freeze = false"),
        (
            {"network.size": 96, "training.augment": "crop"},
            "'small-resnet' takes images of 16 to 64 px, not 96",
        ),
        ({"network.size": 96, "network.freeze": False}, "'small-resnet' takes images of 16 to 64 px, not 96"),
        ({"network.size": 96, "network.channels": 1}, "'small-resnet' takes images of 16 to 64 px, not 96"),
    ],
)
def test_what_cannot_be_is_said_before_the_data_are_looked_at(chosen: dict[str, Any], said: str) -> None:
    with pytest.raises(TaxohashError, match=said):
        replaced(HasherConfig(), chosen).completed()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("set") / "data", train=96, test=24)


@pytest.fixture(scope="module")
def frozen(small: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    pytest.importorskip("efficientnet_lite_pytorch")
    return train(small.folder, tmp_path_factory.mktemp("run"), FROZEN)


def test_a_frozen_backbone_keeps_its_weights_and_what_follows_learns(frozen: Run, tmp_path: Path) -> None:
    chosen = frozen.config.network
    assert (chosen.name, chosen.size, chosen.channels, chosen.freeze) == ("efficientnet_lite0", 64, 3, True)
    network = frozen.network()
    made, _ = find_backbone(chosen.name).make(network.preprocessing, True)
    for name, values in made.state_dict().items():
        assert torch.equal(values, network.backbone.state_dict()[name]), name
    report = evaluate_run(frozen.folder)
    assert report.metrics["mAP"] > 0.5  # chance is 1/6
    generation = export(frozen.folder, tmp_path)
    assert evaluate_generation(generation, frozen.config.dataset).headline == pytest.approx(
        report.headline, abs=0.02
    )


def test_the_baseline_takes_the_features_that_training_left(
    frozen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate_run(frozen.folder)
    seen: list[int] = []
    compute = Extractor.__call__

    def count(self: Extractor, images: Pixels) -> Features:
        seen.append(len(images))
        return compute(self, images)

    monkeypatch.setattr(Extractor, "__call__", count)
    found = measure_yardsticks(frozen.folder)
    assert sum(seen) == 24, "the queries alone"
    assert found.features == "frozen efficientnet_lite0 features at 64 px"


def test_interrupted_it_goes_on_with_the_features_it_has(
    frozen: Run, small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save_and_stop(*arguments: object) -> None:
        save_checkpoint(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as stopping:
        stopping.setattr("taxohash.training.fit.save_checkpoint", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            train(small.folder, tmp_path, FROZEN)
    assert list((tmp_path / FEATURES).rglob("*.npy"))
    monkeypatch.setattr(
        "taxohash.networks.features.Extractor.__call__", lambda *_: pytest.fail("they are there")
    )
    again = train(small.folder, tmp_path, FROZEN).network().state_dict()
    for name, values in frozen.network().state_dict().items():
        assert torch.equal(values, again[name]), name
