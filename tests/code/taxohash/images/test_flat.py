import numpy as np
import pytest
from PIL import Image

from taxohash.errors import TaxohashError
from taxohash.images.flat import flatten, on_white
from tests.support.pictures import noise


def test_every_opacity_of_every_level_is_laid_on_white_and_rounded() -> None:
    level, alpha = np.meshgrid(np.arange(256), np.arange(256))
    expected = np.round((level * alpha + 255 * (255 - alpha)) / 255)
    grey, opacity = (Image.fromarray(values.astype(np.uint8)) for values in (level, alpha))
    assert np.array_equal(np.asarray(on_white(grey, opacity)), expected)
    colours = np.asarray(on_white(Image.merge("RGB", [grey] * 3), opacity))
    assert np.array_equal(colours, np.stack([expected] * 3, axis=-1))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_what_is_flat_stays_as_it_is(mode: str) -> None:
    image = noise(5, 4, mode)
    assert flatten(image) is image


@pytest.mark.parametrize(
    ("mode", "flat"),
    [("1", "L"), ("LA", "L"), ("La", "L"), ("I;16", "L"), *((mode, "RGB") for mode in ("P", "P with tRNS", "RGBA", "CMYK", "YCbCr"))],
)  # fmt: skip
def test_other_modes_become_grey_or_rgb(mode: str, flat: str) -> None:
    assert flatten(noise(5, 4, mode)).mode == flat


def test_one_transparent_colour_counts_whatever_the_mode() -> None:
    for mode, colour in (("L", 7), ("RGB", (7, 8, 9)), ("I;16", 7)):
        image = Image.new(mode, (2, 1), colour)
        image.putpixel((0, 0), 3)
        image.info["transparency"] = colour
        found = np.asarray(flatten(image))
        assert (found[0, 1] == 255).all()
        assert (found[0, 0] < 255).any()


@pytest.mark.parametrize("mode", ["I", "F"])
def test_numbers_without_a_range_are_refused(mode: str) -> None:
    with pytest.raises(TaxohashError, match=f"mode {mode} has no known range"):
        flatten(Image.new(mode, (2, 2)))
