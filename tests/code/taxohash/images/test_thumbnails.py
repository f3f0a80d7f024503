"""Thumbnails show what the hasher sees, whatever the picture is."""

import io

import numpy as np
import pytest
from PIL import Image

from taxohash.images import decode
from taxohash.images.thumbnails import MOST_BYTES, SMALL_BYTES, THUMBNAIL_PIXELS, thumbnail
from tests.support.pictures import encoded, noise, turned


def shown(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_large_image_gets_a_small_picture_of_what_the_hasher_sees(mode: str) -> None:
    data = encoded(noise(16, 8, mode).resize((600, 300), Image.Resampling.BICUBIC))
    assert len(data) > SMALL_BYTES
    picture = shown(thumbnail(data))
    assert (picture.format, picture.mode, picture.size) == (
        "WEBP",
        "RGB",
        (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS // 2),
    )
    expected = decode(data).convert("RGB")
    expected.thumbnail(picture.size)
    differences = abs(np.asarray(picture).astype(int) - np.asarray(expected))
    assert differences.mean() < 8  # what WebP loses


def test_hidden_colours_do_not_show() -> None:
    image = noise(200, 200, "RGBA")
    image.putalpha(0)
    assert (np.asarray(shown(thumbnail(encoded(image)))) >= 254).all()


@pytest.mark.parametrize(
    "data",
    [
        encoded(noise(30, 20), "JPEG", exif=turned(6)),
        encoded(noise(30, 20, "CMYK"), "JPEG"),
        encoded(noise(30, 20, "RGBA")),
        encoded(noise(30, 20, "P with tRNS")),
        encoded(noise(30, 20, "I;16")),
        encoded(noise(30, 20), "GIF", save_all=True, append_images=[noise(30, 20, seed=1)]),
        encoded(noise(30, 20), "BMP"),
        encoded(noise(30, 20), icc_profile=b"a profile that browsers may heed"),
    ],
)
def test_a_small_image_that_programs_may_show_otherwise_is_drawn_anew_and_loses_nothing(data: bytes) -> None:
    assert len(data) <= SMALL_BYTES
    made = thumbnail(data)
    assert made != data
    picture = shown(made)
    assert picture.format == "WEBP"
    assert getattr(picture, "n_frames", 1) == 1
    assert not {"icc_profile", "exif"} & set(picture.info)
    assert np.array_equal(np.asarray(picture), np.asarray(decode(data).convert("RGB")))


def test_a_small_image_that_all_show_alike_is_its_own() -> None:
    for mode in ("1", "L", "P", "RGB"):
        data = encoded(noise(30, 20, mode))
        assert thumbnail(data) == data


@pytest.mark.parametrize("size", [(3000, 3000), (5000, 1), (1, 5000), (129, 1)])
def test_few_bytes_of_many_pixels_are_no_thumbnail(size: tuple[int, int]) -> None:
    data = encoded(Image.new("1", size))
    assert len(data) <= SMALL_BYTES
    assert max(shown(thumbnail(data)).size) == THUMBNAIL_PIXELS


def test_no_thumbnail_is_large() -> None:
    for side in (64, 65, 127, 128, 129, 400):
        for mode in ("RGB", "RGBA", "L"):
            assert len(thumbnail(encoded(noise(side, side, mode)))) <= MOST_BYTES


def test_a_thumbnail_is_read_as_its_generation_reads() -> None:
    dark = encoded(Image.fromarray(np.full((8, 8), 200, np.uint16)))  # the first reader guessed the range
    assert np.asarray(shown(thumbnail(dark))).max() == 0
    assert np.asarray(shown(thumbnail(dark, reader=1))).min() == 200
