import io

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from taxohash.datasets.png import decode_png, encode_png

SIDES = st.integers(1, 40)
SIZES = st.one_of(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES, st.just(3)))
EXAMPLES = (np.arange(72, dtype=np.uint8).reshape(8, 9), np.arange(72, dtype=np.uint8).reshape(8, 3, 3))


@given(SIZES.flatmap(lambda size: arrays(np.uint8, size)))
def test_pillow_reads_what_is_written(pixels: npt.NDArray[np.uint8]) -> None:
    image = Image.open(io.BytesIO(encode_png(pixels)))
    assert image.mode == ("L" if pixels.ndim == 2 else "RGB")
    assert np.array_equal(np.asarray(image), pixels)


@given(SIZES.flatmap(lambda size: arrays(np.uint8, size)))
def test_decode_is_the_inverse(pixels: npt.NDArray[np.uint8]) -> None:
    decoded = decode_png(encode_png(pixels))
    assert decoded is not None
    assert np.array_equal(decoded, pixels)


@pytest.mark.parametrize("pixels", EXAMPLES, ids=("grey", "rgb"))
@given(position=st.integers(0, 148), change=st.integers(1, 255))
def test_one_changed_byte_is_not_decoded(pixels: npt.NDArray[np.uint8], position: int, change: int) -> None:
    data = bytearray(encode_png(pixels))
    assert len(data) == 148
    if position == len(data):
        data.append(change)
    else:
        data[position] ^= change
    assert decode_png(bytes(data)) is None


@given(st.binary(max_size=200))
def test_other_bytes_are_not_decoded(data: bytes) -> None:
    assert decode_png(data) is None
    assert decode_png(encode_png(np.zeros((2, 2), np.uint8))[:48] + data) is None or len(data) == 26


def test_a_png_of_another_encoder_is_left_to_a_general_decoder() -> None:
    stream = io.BytesIO()
    Image.new("L", (9, 8), 3).save(stream, "PNG")
    assert decode_png(stream.getvalue()) is None


def test_limits() -> None:
    for largest, larger in (((255, 255), (256, 256)), ((147, 147, 3), (148, 148, 3))):
        assert decode_png(encode_png(np.ones(largest, np.uint8))) is not None
        with pytest.raises(ValueError, match="stored block"):
            encode_png(np.ones(larger, np.uint8))
    for shape in ((4,), (4, 4, 4), (4, 4, 3, 1)):
        with pytest.raises(ValueError, match="give uint8"):
            encode_png(np.ones(shape, np.uint8))
