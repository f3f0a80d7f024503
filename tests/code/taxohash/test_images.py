import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from taxohash.errors import TaxohashError
from taxohash.images import FORMATS, Preprocessing, decode, to_array

GREY = Preprocessing(8, 1, "pad", (127.5,), (64.0,))
COLOUR = Preprocessing(8, 3, "pad", (0.0,) * 3, (1.0,) * 3)


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_decodes(form: str) -> None:
    image = decode(encoded(Image.new("RGB", (20, 10), (200, 40, 40)), form))
    assert to_array(image, COLOUR).shape == (3, 8, 8)


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_any_bytes_are_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(TaxohashError) as raised:
        decode(data)
    assert "\n" not in str(raised.value)


@given(st.data())
@settings(max_examples=150)
def test_a_damaged_picture_never_breaks_the_decoder(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(FORMATS))
    raw = bytearray(encoded(Image.radial_gradient("L").resize((24, 24)).convert("RGB"), form))
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=6)):
        raw[place] = data.draw(st.integers(0, 255))
    try:
        image = decode(bytes(raw[: data.draw(st.integers(1, len(raw)))]), max_pixels=100_000)
    except TaxohashError:
        return
    assert to_array(image, GREY).shape == (1, 8, 8)


def png(side: int) -> bytes:
    """The header of a large picture over next to no data."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def test_a_photograph_is_turned_as_its_camera_was_held() -> None:
    image = Image.new("L", (20, 10), 30)
    image.paste(200, (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    out = io.BytesIO()
    image.save(out, "PNG", exif=exif)
    upright = decode(out.getvalue())
    assert upright.size == (10, 20)
    assert upright.getpixel((5, 2)) == 200
    assert upright.getpixel((5, 18)) == 30


def test_a_bomb_is_refused_from_its_header() -> None:
    with pytest.raises(TaxohashError, match="more than 40000000"):
        decode(png(30_000))
    with pytest.raises(TaxohashError, match="7000 x 7000 pixels"):
        decode(png(7_000))


def test_an_image_of_the_right_size_is_left_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    assert np.array_equal(to_array(decode(encoded(Image.fromarray(pixels))), GREY)[0], pixels)
    colours = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    assert np.array_equal(
        to_array(decode(encoded(Image.fromarray(colours))), COLOUR), colours.transpose(2, 0, 1)
    )


def test_padding_continues_the_border() -> None:
    array = to_array(Image.new("L", (16, 4), 77), GREY)
    assert (array == 77).all()


def test_cropping_takes_the_centre() -> None:
    pixels = np.zeros((8, 24), np.uint8)
    pixels[:, 8:16] = 255
    crop = Preprocessing(8, 1, "crop", (0.0,), (1.0,))
    assert (to_array(Image.fromarray(pixels), crop) == 255).all()


def test_transparency_lies_on_white() -> None:
    assert (to_array(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), GREY) == 255).all()
    palette = Image.new("RGBA", (8, 8), (0, 0, 0, 0)).quantize(4)
    assert (to_array(decode(encoded(palette)), GREY) == 255).all()


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    pixels = np.full((8, 8), 32768, np.uint16)
    assert abs(int(to_array(decode(encoded(Image.fromarray(pixels))), GREY)[0, 0, 0]) - 128) <= 1


def test_preprocessing_survives_json() -> None:
    assert Preprocessing.from_dict(COLOUR.as_dict()) == COLOUR
