"""Equal pixels have equal digests, whoever encoded them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from taxohash.datasets import Dataset
from taxohash.datasets.digests import pixel_digests
from taxohash.datasets.png import decode_png, encode_png
from taxohash.datasets.writer import Row, write_dataset
from taxohash.images import decode
from taxohash.taxonomy import Taxonomy
from tests.support.pictures import encoded, noise, turned


@pytest.mark.parametrize("colours", [(), (3,)])
def test_the_quick_way_gives_the_same_digests(tmp_path: Path, colours: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 6, *colours), np.uint8)
    images[2] = images[0]
    rows = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        rows += [Row(encode_png(image), "", 0), Row(stream.getvalue(), "", 0)]
    write_dataset(tmp_path / "set", Taxonomy("set", (("a",),)), [("train", rows)])
    digests, failures = pixel_digests(Dataset.open(tmp_path / "set"), "train", progress=False)
    assert not failures
    same = [[digests[i] == digests[j] for j in range(6)] for i in range(6)]
    assert same == [[i // 2 % 2 == j // 2 % 2 for j in range(6)] for i in range(6)]


def test_equal_pictures_have_equal_digests_in_whatever_form(tmp_path: Path) -> None:
    grey, colour = noise(6, 4, "L"), noise(6, 4, "RGB")
    clear = colour.convert("RGBA")
    clear.putpixel((0, 0), (1, 2, 3, 0))
    hidden = clear.copy()
    hidden.putpixel((0, 0), (9, 9, 9, 0))
    white = colour.copy()
    white.putpixel((0, 0), (255, 255, 255))
    upright = grey.transpose(Image.Transpose.ROTATE_270)
    same = [
        [encoded(grey), encoded(grey.convert("RGB")), encoded(grey, "BMP"), encoded(grey.convert("LA"))],
        [encoded(colour), encoded(colour, "BMP"), encoded(colour, "WEBP", lossless=True)],
        [encoded(clear), encoded(hidden), encoded(white), encoded(white.convert("RGBA"), "BMP")],
        [encoded(upright), encoded(grey, exif=turned(6)), encode_png(np.asarray(upright))],
        [encoded(grey.resize((4, 6)))],
    ]
    rows = [Row(data, "", 0) for group in same for data in group]
    write_dataset(tmp_path / "set", Taxonomy("set", (("a",),)), [("train", rows)])
    digests, failures = pixel_digests(Dataset.open(tmp_path / "set"), "train", progress=False)
    assert not failures
    found = iter(digests)
    groups = [{next(found) for _ in group} for group in same]
    assert [len(group) for group in groups] == [1] * len(same)
    assert len(set.union(*groups)) == len(same)


@pytest.mark.parametrize("image", [noise(9, 7, "L"), noise(9, 7, "RGB")])
def test_the_quick_way_is_the_reader(image: Image.Image) -> None:
    data = encode_png(np.asarray(image))
    quick = decode_png(data)
    assert quick is not None
    for version in (1, 2):
        assert np.array_equal(quick, np.asarray(decode(data, version=version)))
