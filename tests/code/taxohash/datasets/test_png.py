import io

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from taxohash.datasets.png import decode_grey, encode_grey

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(SIZES.flatmap(lambda size: arrays(np.uint8, size)))
def test_pillow_reads_what_is_written(pixels: npt.NDArray[np.uint8]) -> None:
    image = Image.open(io.BytesIO(encode_grey(pixels)))
    assert image.mode == "L"
    assert np.array_equal(np.asarray(image), pixels)


@given(SIZES.flatmap(lambda size: arrays(np.uint8, size)))
def test_decode_is_the_inverse(pixels: npt.NDArray[np.uint8]) -> None:
    decoded = decode_grey(encode_grey(pixels))
    assert decoded is not None
    assert np.array_equal(decoded, pixels)


@given(st.integers(0, 148), st.integers(1, 255))
def test_one_changed_byte_is_not_decoded(position: int, change: int) -> None:
    data = bytearray(encode_grey(np.arange(72, dtype=np.uint8).reshape(8, 9)))
    assert len(data) == 148
    if position == len(data):
        data.append(change)
    else:
        data[position] ^= change
    assert decode_grey(bytes(data)) is None


@given(st.binary(max_size=200))
def test_other_bytes_are_not_decoded(data: bytes) -> None:
    assert decode_grey(data) is None
    assert decode_grey(encode_grey(np.zeros((2, 2), np.uint8))[:48] + data) is None or len(data) == 26


def test_a_png_of_another_encoder_is_left_to_a_general_decoder() -> None:
    stream = io.BytesIO()
    Image.new("L", (9, 8), 3).save(stream, "PNG")
    assert decode_grey(stream.getvalue()) is None


def test_limits() -> None:
    assert decode_grey(encode_grey(np.ones((255, 255), np.uint8))) is not None
    with pytest.raises(ValueError, match="stored block"):
        encode_grey(np.ones((256, 256), np.uint8))
    with pytest.raises(ValueError, match="give uint8"):
        encode_grey(np.ones(4, np.uint8))
