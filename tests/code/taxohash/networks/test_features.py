"""Frozen features: computed once, one folder for each cause, whole blocks, resumed after an interruption."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

from taxohash.datasets import Dataset
from taxohash.datasets.png import encode_png
from taxohash.datasets.writer import Row, write_dataset
from taxohash.errors import TaxohashError
from taxohash.images import Preprocessing
from taxohash.networks.features import Extractor, features, frozen
from taxohash.taxonomy import Taxonomy

ROWS, BLOCK = 11, 4


class Means(nn.Module):
    """Mean of each channel; counts its images and may break off."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.limit = 0, 10_000

    def forward(self, images: Tensor) -> Tensor:
        if self.seen + len(images) > self.limit:
            raise KeyboardInterrupt
        self.seen += len(images)
        return images.mean(dim=(2, 3))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    folder = tmp_path / "set"
    images = np.random.default_rng(0).integers(0, 256, (ROWS, 6, 6), np.uint8)
    rows = [Row(encode_png(image), f"{i}.png", i % 2) for i, image in enumerate(images)]
    write_dataset(folder, Taxonomy("set", (("a", "b"), ("a", "c"))), [("train", rows)])
    return Dataset.open(folder)


@pytest.fixture
def extractor() -> Extractor:
    return Extractor("means", "00", Preprocessing(6, 3, "crop", (10.0,) * 3, (2.0,) * 3), Means())


def means(extractor: Extractor) -> Means:
    assert isinstance(extractor.module, Means)
    return extractor.module


def test_values_are_those_of_the_backbone_in_the_order_of_rows(
    dataset: Dataset, extractor: Extractor, tmp_path: Path
) -> None:
    found = features(dataset, "train", extractor, tmp_path / "cache", BLOCK)
    pixels = dataset.pixels("train", extractor.preprocessing).astype(np.float32)
    wanted = ((pixels - 10) / 2).mean(axis=(2, 3))
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, wanted, rtol=1e-3)


def test_computed_once_and_again_for_other_weights_or_preprocessing(
    dataset: Dataset, extractor: Extractor, tmp_path: Path
) -> None:
    first = features(dataset, "train", extractor, tmp_path / "cache", BLOCK)
    again = features(dataset, "train", extractor, tmp_path / "cache", BLOCK)
    assert means(extractor).seen == ROWS
    np.testing.assert_array_equal(first, again)
    features(dataset, "train", replace(extractor, weights_sha256="01"), tmp_path / "cache", BLOCK)
    other = replace(extractor.preprocessing, std=(3.0,) * 3)
    features(dataset, "train", replace(extractor, preprocessing=other), tmp_path / "cache", BLOCK)
    assert means(extractor).seen == 3 * ROWS
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_an_interrupted_run_keeps_whole_blocks_and_goes_on(
    dataset: Dataset, extractor: Extractor, tmp_path: Path
) -> None:
    means(extractor).limit = 2 * BLOCK
    with pytest.raises(KeyboardInterrupt):
        features(dataset, "train", extractor, tmp_path / "cache", BLOCK)
    files = sorted(file.name for file in (tmp_path / "cache").rglob("*") if file.suffix != ".json")
    assert [name for name in files if name.endswith(".npy")] == files[1:]
    assert len(files) == 3  # the folder and two blocks; nothing half-written
    means(extractor).limit = 10_000
    features(dataset, "train", extractor, tmp_path / "cache", BLOCK)
    assert means(extractor).seen == ROWS


def test_a_network_without_pretrained_weights_gives_no_frozen_features() -> None:
    with pytest.raises(TaxohashError, match="network 'small-resnet' has no pretrained weights"):
        frozen("small-resnet", 32)


def test_a_damaged_block_is_named(dataset: Dataset, extractor: Extractor, tmp_path: Path) -> None:
    features(dataset, "train", extractor, tmp_path / "cache", BLOCK)
    block = min((tmp_path / "cache").rglob("*.npy"))
    block.write_bytes(block.read_bytes()[:100])
    with pytest.raises(TaxohashError, match=rf"{block.name} are damaged: delete the file"):
        features(dataset, "train", extractor, tmp_path / "cache", BLOCK)


def test_efficientnet_lite0_gives_1280_finite_features_at_two_sizes() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    for size in (64, 96):
        extractor = frozen("efficientnet_lite0", size)
        images = np.random.default_rng(0).integers(0, 256, (2, *extractor.preprocessing.shape), np.uint8)
        found = extractor(images)
        assert found.shape == (2, 1280)
        assert np.isfinite(found).all()
        assert not np.array_equal(found[0], found[1])
