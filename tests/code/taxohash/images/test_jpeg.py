"""A JPEG is read without what stands around its picture, and without its end; never without a part of it."""

import contextlib
import io

import numpy as np
import pytest
from PIL import Image

from taxohash.errors import TaxohashError
from taxohash.images import decode
from taxohash.images.jpeg import END, lacks_only_its_end, without_metadata
from tests.support.pictures import encoded, noise, turned

WIDTH, HEIGHT = 61, 45  # neither is of whole blocks
KINDS = {
    f"{mode} {'progressive' if progressive else 'baseline'} {quality} {' '.join(restarts)}": encoded(
        noise(WIDTH, HEIGHT, mode), "JPEG", progressive=progressive, quality=quality, **restarts
    )
    for mode in ("L", "RGB", "CMYK")
    for progressive in (False, True)
    for quality, restarts in ((50, {}), (95, {"restart_marker_rows": 1}), (30, {"restart_marker_blocks": 1}))
}


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
def test_only_the_end_marker_may_be_missing(data: bytes) -> None:
    assert data.endswith(END)
    whole, body = np.asarray(decode(data)), data.removesuffix(END)
    for missing in (body, body + END[:1]):
        assert np.array_equal(np.asarray(decode(missing)), whole)
    for cut in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89):
        with contextlib.suppress(
            TaxohashError
        ):  # unless what is missing is padding, or zeros that change nothing
            assert np.array_equal(np.asarray(decode(body[:-cut])), whole)
    for cut in (len(body) // 3, len(body) // 2):
        with pytest.raises(TaxohashError, match="truncated"):
            decode(body[:-cut])


def test_every_scan_is_needed() -> None:
    data = KINDS["RGB progressive 50 "]
    scans = [place for place in range(len(data) - 1) if data[place : place + 2] == b"\xff\xda"]
    assert len(scans) == 10
    for place in scans:
        assert not lacks_only_its_end(data[:place])
        with pytest.raises(TaxohashError, match="truncated"):
            decode(data[:place])
    assert lacks_only_its_end(data.removesuffix(END))
    assert not lacks_only_its_end(data)


def test_what_follows_the_end_is_not_looked_at() -> None:
    data = KINDS["RGB baseline 50 "]
    assert np.array_equal(np.asarray(decode(data + b"garbage" * 99)), np.asarray(decode(data)))


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


@pytest.mark.parametrize(
    "around",
    [
        segment(0xE0, b"JFIF\0"),
        segment(0xE1, b"Exif\0\0" + b"\xff" * 60),
        segment(0xE1, turned(1)[:20]),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<damaged"),
        segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xE2, b"ICC_PROFILE\0\1\2" + bytes(100)),
        segment(0xE2, b"MPF\0damaged"),
        segment(0xED, b"Photoshop 3.0\0" + b"8BIM"),
        segment(0xEE, b"Adobe\0"),
        segment(0xFE, b""),
        b"\xff\xff\xff" + segment(0xFE, b"after fill bytes"),
        segment(0xE5, bytes(65_533)) * 20,
    ],
)
@pytest.mark.parametrize("kind", ["L baseline 50 ", "RGB baseline 50 ", "RGB progressive 50 "])
def test_what_stands_around_the_picture_may_be_damaged(kind: str, around: bytes) -> None:
    data = KINDS[kind]
    assert np.array_equal(np.asarray(decode(data[:2] + around + data[2:])), np.asarray(decode(data)))


def test_hints_at_the_colour_space_stay() -> None:
    for mode in ("RGB", "CMYK"):
        data = encoded(noise(WIDTH, HEIGHT, mode), "JPEG", quality=95, comment=b"gone", exif=turned(3))
        plain, exif = without_metadata(data)
        assert (b"gone" in plain, exif) == (False, turned(3))
        with Image.open(io.BytesIO(data)) as image:
            expected = image.convert("RGB").transpose(Image.Transpose.ROTATE_180)
        assert np.array_equal(np.asarray(decode(data)), np.asarray(expected))


def test_parts_without_end_are_refused() -> None:
    data = KINDS["RGB baseline 50 "]
    with pytest.raises(TaxohashError, match="more than 4096 parts"):
        decode(data[:2] + segment(0xFE, b"") * 5000 + data[2:])


def test_ycck_is_read_as_cmyk() -> None:
    grey = Image.merge("CMYK", [Image.new("L", (16, 16), level) for level in (100, 128, 128, 0)])
    data = encoded(grey, "JPEG", quality=100, subsampling=0)
    hint = data.index(b"Adobe") + 11
    ycck = data[:hint] + b"\x02" + data[hint + 1 :]
    # Inverted, Y is 155, which is a C, M and Y of 100, inverted again; Cb and Cr of 127 are next to no colour.
    found = np.asarray(decode(ycck)).reshape(-1, 3)
    assert (abs(found.astype(int) - 100) <= 3).all()
    assert (abs(np.asarray(decode(data)).reshape(-1, 3).astype(int) - [155, 127, 127]) <= 3).all()


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 10_000_000,
        b"\xff\0" * 1000,
        segment(0xFE, b"no picture"),
        END,
        KINDS["L baseline 50 "][2:99],
    ],
    ids=["fill bytes", "stuffed bytes", "comment", "end", "cut"],
)
def test_a_jpeg_without_a_scan_is_not_searched_for_one(data: bytes) -> None:
    with pytest.raises(TaxohashError, match="truncated"):
        decode(b"\xff\xd8\xff" + data)
