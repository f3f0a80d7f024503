"""The exported hasher is the network, also where its classes are small beside their distance."""

import numpy as np
import pytest
import torch

from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Model
from taxohash.images import Pixels
from taxohash.networks.hashing import HashingNetwork, encode_with_features, network
from taxohash.networks.novelty import Novelty
from taxohash.release.onnx import SAME_NOVELTY, check_equal, write_onnx

CLASSES = np.arange(120) % 6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[HashingNetwork, Novelty, Model, Pixels]:
    """Of pictures that are all but the same within a class: what hundreds of epochs make of others."""
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    grounds = random.integers(0, 250, (6, 3, 16, 16), np.uint8)
    pixels = grounds[CLASSES] + random.integers(0, 2, (120, 3, 16, 16), np.uint8)
    net = network("small-resnet", 16, 16, 3).eval()
    _, features = encode_with_features(net, pixels, np.arange(120))
    novelty = Novelty.fitted(features, pixels, CLASSES).eval()
    file = tmp_path_factory.mktemp("onnx") / "hasher.onnx"
    write_onnx(net, file, novelty)
    return net, novelty, Model(file), pixels


def test_novelty_is_exported_where_classes_are_small_beside_their_distance(
    made: tuple[HashingNetwork, Novelty, Model, Pixels],
) -> None:
    net, novelty, hasher, pixels = made
    strange = np.random.default_rng(1).integers(0, 256, pixels.shape, np.uint8)
    check_equal(net, hasher, np.concatenate([pixels, strange]), novelty)


def test_another_novelty_is_refused_where_it_is_more_than_a_share_of_the_limit(
    made: tuple[HashingNetwork, Novelty, Model, Pixels],
) -> None:
    net, novelty, hasher, pixels = made
    usual = hasher.queries(pixels).novelty
    assert usual is not None
    state = novelty.state_dict()
    other = Novelty(state | {"rest": state["rest"] * 1.1}).eval()
    with pytest.raises(TaxohashError, match="tells another novelty than the network"):
        check_equal(net, hasher, pixels, other)
    enough = float(usual[:, 0].max()) / SAME_NOVELTY
    check_equal(net, hasher, pixels, other, (enough, 1.0))
    with pytest.raises(TaxohashError, match="tells another novelty than the network"):
        check_equal(net, hasher, pixels, other, (enough / 1e4, 1.0))


def test_a_novelty_that_is_no_number_is_refused(
    made: tuple[HashingNetwork, Novelty, Model, Pixels],
) -> None:
    net, novelty, hasher, pixels = made
    state = novelty.state_dict()
    other = Novelty(state | {"rest": torch.tensor(np.nan, dtype=torch.float32)}).eval()
    with pytest.raises(TaxohashError, match="tells another novelty than the network"):
        check_equal(net, hasher, pixels, other, (1e9, 1e9))
