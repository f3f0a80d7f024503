"""Novelty against its definition, and on what nothing was like."""

import numpy as np
import numpy.typing as npt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taxohash.networks.hashing import encode_query_pixels, encode_with_features, network
from taxohash.networks.novelty import DIRECTIONS, FAINTEST, LEAST, RIDGE, Novelty, Watched, contrasts

RNG = np.random.default_rng(0)
CLASSES = np.arange(300) % 5
PICTURES = RNG.integers(100, 140, (300, 3, 16, 16), np.uint8)


def features(count: int = 300, width: int = 24) -> npt.NDArray[np.float32]:
    """Of five classes, in a subspace of 6 of the directions."""
    random = np.random.default_rng(1)
    centres, plane = random.normal(size=(5, 6)), random.normal(size=(6, width))
    inside = (centres[np.arange(count) % 5] + 0.3 * random.normal(size=(count, 6))) @ plane
    found: npt.NDArray[np.float64] = inside + 0.05 * random.normal(size=(count, width)) + 3
    return found.astype(np.float32)


def naive(known: npt.NDArray[np.float32], asked: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The Mahalanobis distance with the whole covariance matrix written out."""

    def even(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        rows = values.astype(np.float64)
        rows = rows - rows.mean(axis=1, keepdims=True)
        found: npt.NDArray[np.float64] = rows / np.sqrt((rows**2).mean(axis=1, keepdims=True) + 1e-5)
        return found

    x, y = even(known), even(asked)
    mean, width = x.mean(axis=0), x.shape[1]
    kept = min(DIRECTIONS, width // 2)
    values, axes = np.linalg.eigh(np.cov(x.T, bias=True))
    plane, other = axes[:, -kept:], max(values[:-kept].mean(), LEAST)
    means = np.stack([x[c == CLASSES].mean(axis=0) for c in range(5)])
    within = (x - means[CLASSES]) @ plane
    spread = plane @ np.cov(within.T, bias=True) @ plane.T
    outside = np.eye(width) - plane @ plane.T
    covariance = spread + RIDGE * other * np.eye(width) + other * outside
    inverse = np.linalg.inv(covariance)
    projected = mean + (means - mean) @ plane @ plane.T  # a class differs from the others in the plane alone
    gaps = y[:, None] - projected[None]
    nearest: npt.NDArray[np.float64] = ((gaps @ inverse) * gaps).sum(axis=2).min(axis=1)
    return nearest


def by_features(made: Novelty, asked: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    shown = torch.from_numpy(np.resize(PICTURES, (len(asked), 3, 16, 16)))
    found: npt.NDArray[np.float32] = made(torch.from_numpy(asked), shown)[:, 0].numpy()
    return found


def test_by_features_it_is_the_distance_to_the_nearest_class() -> None:
    known = features()
    asked = np.concatenate([known[:20], RNG.normal(size=(20, 24)).astype(np.float32)])
    found = by_features(Novelty.fitted(known, PICTURES, CLASSES), asked)
    assert np.allclose(found, naive(known, asked), rtol=1e-3)


@settings(max_examples=20)
@given(st.integers(0, 2**16), st.floats(-5, 0), st.sampled_from([8, 24, 96]))
def test_it_is_the_same_where_classes_are_small_beside_their_distance(
    seed: int, exponent: float, width: int
) -> None:
    """A well trained network draws each class together: then the squares of what is subtracted are a million times the difference."""
    random = np.random.default_rng(seed)
    centres, spread = random.normal(size=(5, width)), 10.0**exponent
    known = (centres[CLASSES] + spread * random.normal(size=(300, width))).astype(np.float32)
    near = known[:40] + (3 * spread * random.normal(size=(40, width))).astype(np.float32)
    asked = np.concatenate([known[:40], near, random.normal(size=(20, width)).astype(np.float32)])
    expected = naive(known, asked)
    found = by_features(Novelty.fitted(known, PICTURES, CLASSES), asked)
    assert (np.abs(found - expected) <= 2e-3 * np.maximum(expected, 1.0)).all()


def test_what_leaves_the_plane_of_the_known_is_new_however_long_it_is() -> None:
    known = features()
    made = Novelty.fitted(known, PICTURES, CLASSES)
    usual = by_features(made, known)
    other = RNG.normal(size=(50, 24)).astype(np.float32)
    for scale in (0.01, 1.0, 100.0):
        assert by_features(made, other * np.float32(scale)).min() > usual.max()
        again = by_features(made, known * np.float32(max(scale, 1.0)))
        assert np.allclose(again, usual, rtol=0.05, atol=0.5)
    assert np.isfinite(by_features(made, np.zeros((3, 24), np.float32))).all()


def test_pictures_that_never_differ_are_no_division_by_zero() -> None:
    same, grey = np.ones((6, 8), np.float32), np.full((6, 1, 16, 16), 7, np.uint8)
    made = Novelty.fitted(same, grey, np.zeros(6, int))
    assert made(torch.from_numpy(same), torch.from_numpy(grey)).isfinite().all()
    assert made(torch.from_numpy(same), torch.from_numpy(grey + 100))[:, 1].min() > 1


@given(st.integers(16, 75), st.sampled_from([1, 3]))
def test_contrasts_are_those_of_blocks_of_doubling_size(side: int, channels: int) -> None:
    images = np.random.default_rng(side).integers(0, 256, (2, channels, side, side), np.uint8)
    found = contrasts(torch.from_numpy(images)).numpy()
    values = images / 255
    if channels == 3:
        red, green, blue = values[:, 0], values[:, 1], values[:, 2]
        values = np.stack([(red + green + blue) / 3, red - green, blue - (red + green) / 2], axis=1)

    def blocks(picture: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
        count = picture.shape[-1] // size
        cut = picture[..., : count * size, : count * size]
        means: npt.NDArray[np.float64] = cut.reshape(*cut.shape[:2], count, size, count, size).mean(
            axis=(3, 5)
        )
        return means

    picture = blocks(values, max(side // 16, 1))
    expected = []
    while picture.shape[-1] >= 2:
        even = picture[..., : picture.shape[-1] // 2 * 2, : picture.shape[-1] // 2 * 2]
        coarser = blocks(even, 2)
        lost = even - coarser.repeat(2, axis=2).repeat(2, axis=3)
        expected.append(np.log10((lost**2).mean(axis=(2, 3)) + FAINTEST))
        picture = coarser
    assert np.allclose(found, np.concatenate([picture.mean(axis=(2, 3)), *expected], axis=1), atol=1e-5)


def test_noise_and_plain_colours_have_contrasts_that_no_picture_has() -> None:
    random = np.random.default_rng(3)
    coarse = random.integers(60, 200, (300, 3, 4, 4), np.uint8)
    known = coarse.repeat(8, axis=2).repeat(8, axis=3) + random.integers(0, 20, (300, 3, 32, 32), np.uint8)
    same = np.ones((300, 8), np.float32)
    made = Novelty.fitted(same, known, CLASSES)
    usual = made(torch.from_numpy(same), torch.from_numpy(known))[:, 1]
    noise = random.integers(0, 256, (50, 3, 32, 32), np.uint8)
    plain = np.broadcast_to(random.integers(0, 256, (50, 3, 1, 1), np.uint8), (50, 3, 32, 32)).copy()
    for strange in (noise, plain):
        assert made(torch.from_numpy(same[:50]), torch.from_numpy(strange))[:, 1].min() > 2 * usual.max()


def test_a_watched_network_tells_both() -> None:
    torch.manual_seed(0)
    made = network("small-resnet", 16, 16, 3).eval()
    pixels = RNG.integers(0, 256, (40, 3, 16, 16), np.uint8)
    rows = np.array([0, 3, 39])
    queries, some = encode_with_features(made, pixels, np.arange(40))
    again, few = encode_with_features(made, pixels, rows)
    assert np.array_equal(some[rows], few)
    assert np.array_equal(queries.outputs, again.outputs)
    assert queries.novelty is None
    novelty = Novelty.fitted(some, pixels, np.arange(40) % 4).eval()
    picked = Novelty.fitted(few, pixels, rows % 4, rows), Novelty.fitted(few, pixels[rows], rows % 4)
    for name, tensor in picked[0].state_dict().items():
        assert torch.equal(tensor, picked[1].state_dict()[name])
    told = encode_query_pixels(made, pixels, novelty=novelty, batch=7)
    assert np.allclose(told.outputs, queries.outputs, atol=1e-5)
    assert told.novelty is not None
    with torch.inference_mode():
        outputs, new = Watched(made, novelty)(torch.from_numpy(pixels))
        assert torch.allclose(outputs, made(torch.from_numpy(pixels)), atol=1e-5)
    assert np.allclose(new.numpy(), told.novelty, rtol=1e-2)
    assert told.novelty.shape == (40, 2)
