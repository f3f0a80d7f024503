import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from taxohash.datasets import Dataset
from taxohash.datasets.png import encode_png
from taxohash.datasets.shape import _header, picture_shape
from taxohash.datasets.writer import Row, write_split
from taxohash.errors import TaxohashError


def picture(form: str, mode: str, size: tuple[int, int], **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, form, **options)
    return stream.getvalue()


FORMS = [("PNG", "1"), ("PNG", "L"), ("PNG", "LA"), ("PNG", "I;16"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"),
         ("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("BMP", "1"), ("BMP", "L"), ("BMP", "RGB"), ("WEBP", "RGB"),
         ("WEBP", "RGBA"), ("GIF", "L")]  # fmt: skip


@pytest.mark.parametrize(("form", "mode"), FORMS)
@pytest.mark.parametrize("size", [(1, 1), (7, 300), (300, 7)])
def test_the_header_tells_what_decoding_would(form: str, mode: str, size: tuple[int, int]) -> None:
    data = picture(form, mode, size)
    with Image.open(io.BytesIO(data)) as image:
        grey = image.mode in ("1", "L", "LA", "I;16")
        assert _header(data) == (max(image.size), grey)


@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"comment": b"x" * 60_000}, {"exif": b"Exif\0\0MM"}]
)
def test_a_jpegs_frame_is_found_behind_other_segments(options: dict[str, object]) -> None:
    data = picture("JPEG", "RGB", (30, 20), **options)
    assert _header(data) == (30, False)
    assert _header(data[:2] + b"\xff\xff" + data[3:]) == (30, False)  # a fill byte


@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM"]),
)
def test_what_is_no_picture_has_no_shape(data: bytes, beginning: bytes) -> None:
    found = _header(beginning + data)
    assert found is None or found[0] > 0


def test_all_rows_decide(tiny: Path) -> None:
    sides, generator = [1, 9, 9, 30], np.random.default_rng(0)
    grey = [encode_png(generator.integers(0, 256, (side, 1), np.uint8)) for side in sides]
    write_split(tiny / "train.parquet", [Row(data, "", 0) for data in [*grey, b"broken", b""]])
    shape = picture_shape(Dataset.open(tiny), "train")
    assert (shape.size, shape.all_grey) == (9, True)
    assert str(shape) == "4 pictures of 1 to 30 px, 4 grey"
    write_split(
        tiny / "train.parquet", [Row(data, "", 0) for data in [*grey, picture("JPEG", "RGB", (40, 8))]]
    )
    shape = picture_shape(Dataset.open(tiny), "train")
    assert (shape.size, shape.all_grey) == (9, False)
    assert str(shape) == "5 pictures of 1 to 40 px, 4 grey"


def test_a_split_of_which_nothing_can_be_read(tiny: Path) -> None:
    write_split(tiny / "train.parquet", [Row(b"broken", "", 0)])
    with pytest.raises(TaxohashError, match=r"split train of .* has no image that can be read"):
        picture_shape(Dataset.open(tiny), "train")
