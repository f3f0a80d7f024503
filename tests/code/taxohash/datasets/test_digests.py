"""Equal pixels have equal digests, whoever encoded them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from taxohash.datasets import Dataset
from taxohash.datasets.digests import pixel_digests
from taxohash.datasets.png import encode_png
from taxohash.datasets.writer import Row, write_dataset
from taxohash.taxonomy import Taxonomy


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
