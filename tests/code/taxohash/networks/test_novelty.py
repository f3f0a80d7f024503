"""Novelty against its definition, and on what nothing was like."""

import numpy as np
import numpy.typing as npt
import torch

from taxohash.networks.hashing import encode_query_pixels, encode_with_features, network
from taxohash.networks.novelty import DIRECTIONS, RIDGE, Novelty, Watched

RNG = np.random.default_rng(0)
CLASSES = np.arange(300) % 5


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
    plane, other = axes[:, -kept:], values[:-kept].mean()
    means = np.stack([x[c == CLASSES].mean(axis=0) for c in range(5)])
    within = (x - means[CLASSES]) @ plane
    spread = plane @ np.cov(within.T, bias=True) @ plane.T
    outside = np.eye(width) - plane @ plane.T
    covariance = spread + RIDGE * other * np.eye(width) + other * outside
    inverse = np.linalg.inv(covariance)
    projected = mean + (means - mean) @ plane @ plane.T  # a class differs from the others in the plane alone
    gaps = y[:, None] - projected[None]
    nearest: npt.NDArray[np.float64] = np.einsum("nci,ij,ncj->nc", gaps, inverse, gaps).min(axis=1)
    return nearest


def test_it_is_the_distance_to_the_nearest_class() -> None:
    known = features()
    asked = np.concatenate([known[:20], RNG.normal(size=(20, 24)).astype(np.float32)])
    found = Novelty.fitted(known, CLASSES)(torch.from_numpy(asked)).numpy()
    assert np.allclose(found, naive(known, asked), rtol=1e-3)


def test_what_leaves_the_plane_of_the_known_is_new_however_long_it_is() -> None:
    known = features()
    made = Novelty.fitted(known, CLASSES)
    usual = made(torch.from_numpy(known)).numpy()
    other = RNG.normal(size=(50, 24)).astype(np.float32)
    for scale in (0.01, 1.0, 100.0):
        assert made(torch.from_numpy(other * scale)).min() > usual.max()
        again = made(torch.from_numpy(known * max(scale, 1.0))).numpy()
        assert np.allclose(again, usual, rtol=0.05, atol=0.5)
    assert made(torch.zeros(3, 24)).isfinite().all()


def test_features_that_never_differ_are_no_division_by_zero() -> None:
    same = np.ones((6, 8), np.float32)
    made = Novelty.fitted(same, np.zeros(6, int))
    assert np.isfinite(made(torch.from_numpy(same)).numpy()).all()


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
    novelty = Novelty.fitted(some, np.arange(40) % 4).eval()
    told = encode_query_pixels(made, pixels, novelty=novelty, batch=7)
    assert np.allclose(told.outputs, queries.outputs, atol=1e-5)
    assert told.novelty is not None
    with torch.inference_mode():
        outputs, new = Watched(made, novelty)(torch.from_numpy(pixels))
        assert torch.allclose(outputs, made(torch.from_numpy(pixels)), atol=1e-5)
    assert np.allclose(new.numpy(), told.novelty, rtol=1e-3)
