"""Every crop is a window of the padded image, and the same draws make the same crops."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from taxohash.errors import TaxohashError
from taxohash.objectives import build
from taxohash.training.augmentation import crop, margin, random_views, random_windows
from taxohash.training.config import TrainingConfig
from taxohash.training.fit import fit
from tests.support.toy import BITS, TREE, setting


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_images(shape: tuple[int, int, int, int], dtype: torch.dtype, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, generator=generator(seed)).to(dtype)


@given(
    side=st.integers(1, 9),
    padding=st.integers(0, 4),
    less=st.integers(0, 4),
    channels=st.sampled_from([1, 3]),
    dtype=st.sampled_from([torch.uint8, torch.float32]),
    flip=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_a_crop_is_a_window_of_the_padded_image(
    side: int, padding: int, less: int, channels: int, dtype: torch.dtype, flip: bool, seed: int
) -> None:
    size = max(1, side + 2 * padding - less)
    images = random_images((5, channels, side, side), dtype, seed)
    windows = random_windows(5, side + 2 * padding - size, flip, generator(seed))
    found = crop(images, windows, size, padding)
    assert found.shape == (5, channels, size, size)
    assert found.dtype == dtype
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (padding, padding), (padding, padding)), "edge")
    for image, window, (top, left, mirrored) in zip(padded, found.numpy(), windows.tolist(), strict=True):
        naive = image[:, top : top + size, left : left + size]
        assert np.array_equal(window, naive[:, :, ::-1] if mirrored else naive)


@given(slack=st.integers(0, 6), flip=st.booleans(), seed=st.integers(0, 1000))
def test_windows_are_in_range_and_follow_the_generator(slack: int, flip: bool, seed: int) -> None:
    drawn = random_windows(50, slack, flip, generator(seed))
    assert torch.equal(drawn, random_windows(50, slack, flip, generator(seed)))
    assert 0 <= int(drawn[:, :2].min()) <= int(drawn[:, :2].max()) <= slack
    assert set(drawn[:, 2].tolist()) == ({0, 1} if flip else {0})


@given(views=st.integers(1, 3), slack=st.integers(0, 6), seed=st.integers(0, 1000))
def test_views_are_drawn_one_after_the_other(views: int, slack: int, seed: int) -> None:
    drawn, source = random_views(20, views, slack, True, generator(seed)), generator(seed)
    for view in range(views):
        assert torch.equal(drawn[:, view], random_windows(20, slack, True, source))


def test_every_window_is_drawn() -> None:
    drawn = random_windows(1000, 3, True, generator(0))
    assert len({tuple(row) for row in drawn.tolist()}) == 4 * 4 * 2


def test_margins_are_the_usual_ones() -> None:
    assert [margin(side) for side in (28, 32, 224)] == [3, 4, 28]


def test_windows_that_do_not_fit_are_refused() -> None:
    images = random_images((1, 1, 4, 4), torch.uint8)
    with pytest.raises(TaxohashError, match="windows of 9 px do not fit"):
        crop(images, random_windows(1, 0, False, generator(0)), 9, 2)


class Watched(nn.Module):
    """Keeps the batches it was trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.seen = nn.Linear(64, BITS), list[Tensor]()

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.seen.append(images)
        outputs: Tensor = self.linear(images.flatten(1).float() / 255)
        return outputs


@pytest.mark.parametrize("augment", ["none", "crop", "crop-flip"])
def test_fit_augments_as_it_is_told(augment: str, tmp_path: Path) -> None:
    images, labels = random_images((18, 1, 8, 8), torch.uint8), torch.arange(18) % len(TREE)
    seen = []
    for attempt in ("a", "b"):
        network = Watched()
        config = TrainingConfig(epochs=2, batch=18, augment=augment)  # type: ignore[arg-type]
        fit(network, build("csq", setting(TREE, labels), {}), images, config, tmp_path / attempt)
        seen.append(torch.stack(network.seen))
    assert torch.equal(seen[0], seen[1])
    epochs = [{image.numpy().tobytes() for image in batch} for batch in seen[0]]
    originals = {image.numpy().tobytes() for image in images}
    assert (epochs[0] == originals) == (augment == "none")
    assert (epochs[0] == epochs[1]) == (augment == "none")


def test_features_are_not_augmented(tmp_path: Path) -> None:
    labels = torch.arange(9)
    objective = build("csq", setting(TREE, labels), {})
    with pytest.raises(TaxohashError, match="augment = 'crop' is for images"):
        fit(nn.Linear(4, BITS), objective, torch.zeros(9, 4), TrainingConfig(augment="crop"), tmp_path)
