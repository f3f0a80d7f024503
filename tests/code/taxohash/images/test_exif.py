import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from taxohash.images.exif import orientation, upright
from tests.support.pictures import noise, turned


@pytest.mark.parametrize("held", range(1, 9))
def test_pictures_are_turned_as_pillow_turns_them(held: int) -> None:
    image = noise(4, 3)
    image.getexif()[0x0112] = held
    assert orientation(turned(held)) == held
    assert np.array_equal(
        np.asarray(upright(image, turned(held))), np.asarray(ImageOps.exif_transpose(image))
    )


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_byte_order(order: str) -> None:
    exif = Image.Exif()
    exif.endian = order
    exif[0x0112] = 8
    assert orientation(exif.tobytes()) == 8
    assert orientation(exif.tobytes().removeprefix(b"Exif\0\0")) == 8


@pytest.mark.parametrize("held", [0, 9, 65535])
def test_what_is_no_orientation_is_upright(held: int) -> None:
    assert orientation(turned(held)) == 1


@given(st.data())
def test_damaged_metadata_never_break_it(data: st.DataObject) -> None:
    raw = bytearray(turned(6))
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[place] = data.draw(st.integers(0, 255))
    assert 1 <= orientation(bytes(raw[: data.draw(st.integers(0, len(raw)))])) <= 8


@given(st.binary(max_size=40))
def test_any_bytes_have_an_orientation(data: bytes) -> None:
    assert 1 <= orientation(b"II*\0" + data) <= 8
    assert orientation(data) == 1 or data[:4] in (b"II*\0", b"MM\0*", b"Exif")
