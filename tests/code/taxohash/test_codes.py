import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from taxohash.codes import bit_health, code_bytes, pack, unpack
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
