from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from taxohash.codes import Queries, bit_health, check, code_bytes, pack, unpack
from taxohash.errors import TaxohashError

outputs = st.tuples(st.integers(1, 20), st.integers(1, 70)).flatmap(
    lambda shape: hnp.arrays(np.float32, shape, elements=st.floats(-2, 2, width=32))
)


@given(outputs)
def test_a_bit_is_one_where_the_output_is_not_negative(found: np.ndarray) -> None:
    codes = pack(found)
    assert codes.shape == (len(found), code_bytes(found.shape[1]))
    for row, code in zip(found, codes, strict=True):
        text = "".join(f"{byte:08b}" for byte in code)
        assert text == "".join("1" if f >= 0 else "0" for f in row).ljust(len(text), "0")
    assert np.array_equal(unpack(codes, found.shape[1]), found >= 0)


@given(st.integers(1, 40), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_codes_are_taken_if_and_only_if_their_padding_is_zero(bits: int, count: int, seed: int) -> None:
    codes = np.packbits(np.random.default_rng(seed).integers(0, 2, (count, bits), np.uint8), axis=1)
    assert np.array_equal(check(codes, bits, rows=count), codes)
    if bits % 8 and count:
        codes[seed % count, -1] |= 1
        with pytest.raises(TaxohashError, match=f"queries have bits set beyond the first {bits}"):
            check(codes, bits, "queries")


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        (np.zeros((2, 2), np.uint8), r"uint8\[2, 2\]"),
        (np.zeros((1, 1), np.uint8), r"uint8\[1, 1\]"),
        (np.zeros((2, 1), np.int8), r"int8\[2, 1\]"),
        (np.zeros((2, 1)), r"float64\[2, 1\]"),
        (np.zeros(2, np.uint8), r"uint8\[2\]"),
        (np.zeros((2, 1, 1), np.uint8), r"uint8\[2, 1, 1\]"),
        ([[0], [0]], r"int64\[2, 1\]"),
        ([[0], [0, 0]], "object"),
        (None, "object"),
        (b"ab", r"\|S2\[\]"),
    ],
)
def test_other_arrays_are_refused_by_what_they_are_and_need(codes: Any, said: str) -> None:
    with pytest.raises(
        TaxohashError, match=rf"queries are {said}.*: 8 bits need uint8\[2, 1\], packed by"
    ) as caught:
        check(codes, 8, "queries", rows=2)
    assert "\n" not in str(caught.value)


def test_no_code_has_no_bits() -> None:
    with pytest.raises(TaxohashError, match="codes have 0 bits"):
        check(np.zeros((2, 0), np.uint8), 0)


def test_unpack_refuses_another_length() -> None:
    with pytest.raises(TaxohashError, match="48 bits need"):
        unpack(np.zeros((3, 8), np.uint8), 48)


def test_health_of_known_codes() -> None:
    signs = np.array([[1, 1, 1, -1], [1, 1, -1, 1], [1, -1, 1, -1], [1, -1, -1, 1]], np.float32)
    health = bit_health(pack(signs), 4)
    assert health.balance == [1.0, 0.5, 0.5, 0.5]
    assert health.dead_bits == 1
    assert health.entropy == pytest.approx(3 / 4)
    assert health.distinct_codes == 4
    assert health.correlation == pytest.approx(1 / 3)  # bits 2 and 3 mirror each other, bit 1 is free of both


def test_health_of_one_code() -> None:
    health = bit_health(np.zeros((1, 2), np.uint8), 16)
    assert (health.entropy, health.dead_bits, health.correlation, health.distinct_codes) == (0, 16, 0, 1)


@pytest.mark.parametrize("form", [np.zeros((1, 8), np.float32), np.zeros(8, np.float32)])
def test_each_query_has_a_code_and_a_form(form: Any) -> None:
    with pytest.raises(
        TaxohashError, match=r"query forms are float32\[.*\] for 2 codes: pass float32\[Q, bits\]"
    ):
        Queries(np.zeros((2, 1), np.uint8), form)


def test_weighted_distances_are_told_as_shares_of_all_weights() -> None:
    form = np.array([[1, -2, 0, 0.5] * 2, [0] * 8], np.float32)
    queries = Queries(np.zeros((2, 1), np.uint8), form)
    assert queries.signs.tolist() == [[0b10111011], [0b11111111]]
    assert queries.weights.tolist() == np.abs(form).tolist()
    shares = queries.shares(np.array([[0, 2, 3.5, 7.0000001], [0, 0, 0, 0]]))
    assert shares.tolist() == [[0, 0.285714, 0.5, 1], [0, 0, 0, 0]]
