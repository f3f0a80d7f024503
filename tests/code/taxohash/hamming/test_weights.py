"""Search by weights of the query's bits: what it means, and where it meets the plain search."""

import faiss
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxohash.codes import Codes, unpack
from taxohash.hamming import HammingIndex, notes
from taxohash.hamming.weights import TOTAL, to_weights
from tests.support.hamming_oracle import KINDS, make_codes, make_weights, nearest, weighted_nearest

BITS = 64


@pytest.mark.parametrize("length", [1, 3, 1024])
def test_hamming_distances_are_told_also_where_more_was_found_than_there_was_room_to_note(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "FEWEST", length)
    monkeypatch.setattr(notes, "EACH", 0)
    rng = np.random.default_rng(length)
    codes, queries = make_codes(rng, 3000, 64, "clustered"), make_codes(rng, 5, 64, "clustered")
    weights = make_weights(rng, 5, 64, "uniform")
    made = HammingIndex.build(codes[:2900], 64)
    made.add(codes[2900:])
    far, near, rows = made.moment().search_weighted(queries, weights, 12)
    np.testing.assert_array_equal(rows, weighted_nearest(codes, queries, weights, 12)[1])
    np.testing.assert_array_equal(far, made.search(queries, 12, weights=weights)[0])
    np.testing.assert_array_equal(near, np.bitwise_count(codes[rows] ^ queries[:, None]).sum(axis=2))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [48, 64, 128])
def test_equal_weights_give_the_plain_answers(kind: str, bits: int) -> None:
    rng = np.random.default_rng(bits)
    codes, queries = make_codes(rng, 25_000, bits, kind), make_codes(rng, 12, bits, kind)
    made = HammingIndex.build(codes, bits)
    weights = np.full((12, bits), 0.1, np.float32)
    for k in (1, 10, 100):
        near, rows = made.search(queries, k, weights=weights)
        plain_near, plain = made.search(queries, k)
        np.testing.assert_array_equal(rows, plain)
        np.testing.assert_allclose(near, plain_near * np.float64(np.float32(0.1)))
    for found, plain in zip(
        made.range_search(queries, 0.65, weights=weights), made.range_search(queries, 6), strict=True
    ):
        np.testing.assert_allclose(found, plain * (0.1 if found.dtype == np.float64 else 1), rtol=1e-6)


@pytest.mark.parametrize("kind", ["uniform", "clustered", "duplicates"])
@pytest.mark.parametrize("weighing", ["near one", "uniform", "one bit"])
def test_distances_are_those_of_faiss(kind: str, weighing: str) -> None:
    """Of a product quantiser whose codebook is the signs of a byte: q.x = sum w - 2 D for q = w times the query's signs."""
    rng = np.random.default_rng(3)
    codes, queries = make_codes(rng, 25_000, BITS, kind), make_codes(rng, 10, BITS, kind)
    weights = make_weights(rng, 10, BITS, weighing)
    peer = faiss.IndexPQ(BITS, 8, 8, faiss.METRIC_INNER_PRODUCT)
    peer.is_trained = True
    faiss.copy_array_to_vector(_signs(np.arange(256, dtype=np.uint8)[:, None], 8)[None].repeat(8, 0).ravel(),
                               peer.pq.centroids)  # fmt: skip
    peer.add(_signs(codes, BITS))
    near, _ = HammingIndex.build(codes, BITS).search(queries, 50, weights=weights)
    similar, _ = peer.search(weights * _signs(queries, BITS), 50)
    np.testing.assert_allclose(near, (weights.sum(axis=1, keepdims=True) - similar) / 2, atol=1e-4)


def _signs(codes: Codes, bits: int) -> npt.NDArray[np.float32]:
    return np.asarray(2 * unpack(codes, bits).astype(np.float32) - 1, dtype=np.float32)


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(8, 1024), st.floats(0, 100), st.floats(2**-120, 2**100))
def test_a_radius_includes_what_is_at_it(seed: int, bits: int, radius: float, greatest: float) -> None:
    rng = np.random.default_rng(seed)
    drawn = (greatest * rng.random((3, bits))).astype(np.float32)
    drawn[2] = 0
    weights = to_weights(drawn, bits, 3)
    assert int(weights.whole.sum(axis=1).max()) <= 2**TOTAL
    for within in (
        radius,
        0.0,
        np.inf,
        1e300,
        *(weights.scale * 1000),
        *np.nextafter(weights.scale * 1000, 0),
    ):
        for limit, scale in zip(weights.limits(within), weights.scale, strict=True):
            assert limit * scale <= within
            assert limit >= 2**TOTAL or scale == 0 or (limit + 1) * scale > within


def test_bits_are_numbered_as_packbits_numbers_them() -> None:
    codes = np.packbits(np.eye(45, dtype=np.uint8), axis=1)  # code j differs from 0 in bit j
    weights = np.random.default_rng(0).permutation(45).astype(np.float32)[None] + 1
    near, rows = HammingIndex.build(codes, 45).search(np.zeros((1, 6), np.uint8), 45, weights=weights)
    np.testing.assert_array_equal(rows, np.argsort(weights, axis=1))
    np.testing.assert_allclose(near, np.sort(weights, axis=1), rtol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_codes_and_few_queries(count: int) -> None:
    rng = np.random.default_rng(count)
    made = HammingIndex.build(make_codes(rng, count, BITS, "uniform"), BITS)
    for queries in (0, 1, 4):
        asked, weights = (
            make_codes(rng, queries, BITS, "uniform"),
            make_weights(rng, queries, BITS, "uniform"),
        )
        for k in (0, 2, 5000):
            near, rows = made.search(asked, k, weights=weights)
            assert near.shape == rows.shape == (queries, min(k, count))
            assert near.dtype == np.float64
            assert made.search(asked, k, allowed=[], weights=weights)[1].shape == (queries, 0)
        limits, near, rows = made.range_search(asked, np.inf, weights=weights)
        assert limits.tolist() == [count * i for i in range(queries + 1)]
        assert near.dtype == np.float64


@pytest.mark.parametrize("kind", ["uniform", "clustered"])
def test_long_answers(kind: str) -> None:
    """Beyond what a heap holds."""
    rng = np.random.default_rng(5)
    codes, queries = make_codes(rng, 25_000, BITS, kind), make_codes(rng, 2, BITS, kind)
    weights = make_weights(rng, 2, BITS, "steps")
    made = HammingIndex.build(codes, BITS)
    wanted_near, wanted = weighted_nearest(codes, queries, weights, 9000)
    near, rows = made.search(queries, 9000, weights=weights)
    np.testing.assert_array_equal(near, wanted_near)
    np.testing.assert_array_equal(rows, wanted)
    limits, _, rows = made.range_search(queries[:1], wanted_near[0, -2], weights=weights[:1])
    assert limits[1] >= 8999
    np.testing.assert_array_equal(rows[:8999], wanted[0, :8999])


def test_weights_of_zero_leave_the_order_of_the_others() -> None:
    rng = np.random.default_rng(6)
    codes, queries = make_codes(rng, 9000, BITS, "clustered"), make_codes(rng, 5, BITS, "clustered")
    weights = np.ones((5, BITS), np.float32)
    weights[:, 32:] = 0
    near, rows = HammingIndex.build(codes, BITS).search(queries, 100, weights=weights)
    wanted_near, wanted = nearest(codes[:, :4], queries[:, :4], 100)
    np.testing.assert_array_equal(near, wanted_near)
    np.testing.assert_array_equal(rows, wanted)
