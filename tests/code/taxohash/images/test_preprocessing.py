import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from taxohash.errors import TaxohashError
from taxohash.images import Preprocessing, decode, load_pixels, read_pixels, to_array
from tests.support.pictures import encoded

GREY = Preprocessing(8, 1, "pad", (127.5,), (64.0,))
COLOUR = Preprocessing(8, 3, "pad", (0.0,) * 3, (1.0,) * 3)


def test_an_image_of_the_right_size_is_left_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    assert np.array_equal(read_pixels(encoded(Image.fromarray(pixels)), GREY)[0], pixels)
    colours = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    found = read_pixels(encoded(Image.fromarray(colours)), COLOUR)
    assert np.array_equal(found, colours.transpose(2, 0, 1))


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


@pytest.mark.parametrize("preprocessing", [COLOUR, Preprocessing(8, 1, "crop", (0.0,), (1.0,), reader=1)])
def test_it_survives_json(preprocessing: Preprocessing) -> None:
    assert Preprocessing.from_dict(preprocessing.as_dict()) == preprocessing


def test_where_no_reader_is_named_it_is_the_first() -> None:
    named = COLOUR.as_dict()
    assert named.pop("reader") == 2
    assert Preprocessing.from_dict(named).reader == 1
    assert Preprocessing.from_dict(named).as_dict() == named


def test_a_reader_of_a_later_version_is_refused() -> None:
    with pytest.raises(TaxohashError, match=r"reader 3, and this version of taxohash has 1 and 2: use"):
        Preprocessing.from_dict(COLOUR.as_dict() | {"reader": 3})


def test_pixels_are_read_by_the_reader_that_is_named() -> None:
    bright = encoded(Image.fromarray(np.full((8, 8), 200, np.uint16)))  # of 65535: the first reader guessed
    assert (read_pixels(bright, GREY) == 0).all()
    assert (read_pixels(bright, Preprocessing(8, 1, "pad", (0.0,), (1.0,), reader=1)) == 200).all()


def test_a_picture_in_any_form_is_the_same_input(tmp_path: Path) -> None:
    colours = np.random.default_rng(5).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    image = Image.fromarray(colours)
    image.save(tmp_path / "picture.png")
    data = (tmp_path / "picture.png").read_bytes()
    turned_twice = colours[::-1].copy()[::-1]
    for form in (tmp_path / "picture.png", str(tmp_path / "picture.png"), image, colours, turned_twice):
        np.testing.assert_array_equal(load_pixels(form, COLOUR), load_pixels(data, COLOUR))


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (None, "NoneType is no picture"),
        ([[0]], "list is no picture"),
        (np.zeros((4, 4, 5), np.uint8), r"array uint8\[4, 4, 5\] is no picture"),
        (np.zeros((4, 4, 3)), r"array float64\[4, 4, 3\] is no picture"),
        (np.zeros((0, 4), np.uint8), r"array uint8\[0, 4\] is no picture"),
        (Image.new("L", (0, 3)), "image of 0 x 3 pixels is empty"),
        ("a\0b.png", "cannot be read .embedded null byte"),
    ],
)
def test_what_is_no_picture_is_refused(form: Any, told: str) -> None:
    with pytest.raises(TaxohashError, match=told):
        load_pixels(form, COLOUR)


def test_an_open_image_whose_file_is_damaged_is_refused() -> None:
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "PNG")
    with pytest.raises(TaxohashError, match="cannot be read"):
        load_pixels(Image.open(io.BytesIO(out.getvalue()[:-40])), COLOUR)
