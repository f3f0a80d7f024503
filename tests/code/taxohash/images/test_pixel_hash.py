"""The hash of pixels: the same for equal pixels in any form, another for others."""

import numpy as np
import pytest
from PIL import Image

from taxohash.images import READER, decode, pixel_hash
from taxohash.images.pixel_hash import DIGITS
from tests.support.pictures import encoded, noise


def hashed(data: bytes) -> str:
    return pixel_hash(decode(data), READER)


@pytest.mark.parametrize("size", [(1, 1), (20, 16), (700, 500)])
def test_it_is_of_the_pixels_alone(size: tuple[int, int]) -> None:
    image = noise(*size)
    forms = [
        encoded(image),
        encoded(image, "PNG", compress_level=0),
        encoded(image, "BMP"),
        encoded(image, "WEBP", lossless=True),
    ]
    (found,) = {hashed(data) for data in forms}
    assert len(found) == DIGITS
    assert int(found, 16) >= 0


def test_one_step_of_one_pixel_is_another() -> None:
    pixels = np.asarray(noise(700, 500)).copy()
    hashes = {pixel_hash(Image.fromarray(pixels), READER)}
    for row, column in ((0, 0), (499, 699), (250, 3)):
        pixels[row, column, 1] ^= 1
        hashes.add(pixel_hash(Image.fromarray(pixels), READER))
    assert len(hashes) == 4


def test_a_grey_picture_is_the_coloured_one_of_its_greys() -> None:
    grey = noise(20, 16, "L")
    assert pixel_hash(grey, READER) == pixel_hash(grey.convert("RGB"), READER)


def test_the_same_bytes_in_another_shape_or_read_by_another_reader_are_another() -> None:
    white = [pixel_hash(Image.new("RGB", size, "white"), READER) for size in ((4, 6), (6, 4), (24, 1))]
    white.append(pixel_hash(Image.new("RGB", (4, 6), "white"), READER - 1))
    assert len(set(white)) == 4
