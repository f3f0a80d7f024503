"""The reader as a whole: every format and mode, orientation, limits, and bytes that are spoilt."""

import random
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from taxohash.errors import TaxohashError
from taxohash.images import FORMATS, decode
from tests.support.naive_png import SIGNATURE, chunk, header
from tests.support.pictures import encoded, every_picture, noise, turned

PICTURES = dict(every_picture())
GREY = {"PNG 1", "PNG L", "PNG LA", "PNG I;16", "JPEG L", "BMP 1", "BMP L"}
MUTATIONS = 120  # of each picture


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_grey_or_rgb(name: str) -> None:
    image = decode(PICTURES[name])
    assert image.mode == ("L" if name in GREY else "RGB")
    assert image.size == ((16, 20) if name.endswith("turned") else (20, 16))
    assert not image.info


def test_what_is_stored_without_loss_is_what_is_read() -> None:
    for form, modes in {"PNG": ("L", "RGB"), "BMP": ("L", "RGB")}.items():
        for mode in modes:
            image = noise(9, 7, mode)
            assert np.array_equal(np.asarray(decode(encoded(image, form))), np.asarray(image))


def test_of_several_frames_it_is_the_first() -> None:
    for form in ("PNG", "GIF", "WEBP"):
        first = encoded(noise(20, 16), form, lossless=True)
        assert np.array_equal(np.asarray(decode(PICTURES[f"{form} animated"])), np.asarray(decode(first)))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("held", range(1, 9))
def test_a_photograph_is_turned_as_its_camera_was_held(form: str, held: int) -> None:
    image = noise(20, 10, "L")
    flat = decode(encoded(image, form))
    flat.getexif()[0x0112] = held
    found = decode(encoded(image, form, exif=turned(held)))
    assert np.array_equal(np.asarray(found), np.asarray(ImageOps.exif_transpose(flat)))


@pytest.mark.parametrize("transparent", [False, True])
def test_a_gif_is_white_where_its_first_frame_is_not(transparent: bool) -> None:
    frame = Image.new("P", (3, 2), 0)
    frame.putpalette([200, 10, 10, 10, 200, 10])
    frame.putpixel((1, 1), 1)
    data = bytearray(encoded(frame, "GIF", **({"transparency": 1} if transparent else {})))
    struct.pack_into("<HH", data, 6, 5, 4)  # the screen
    left_top = data.index(b",") + 1
    struct.pack_into("<HH", data, left_top, 1, 1)
    expected = np.full((4, 5, 3), 255)
    expected[1:3, 1:4] = (200, 10, 10)
    expected[2, 2] = (255, 255, 255) if transparent else (10, 200, 10)
    assert np.array_equal(np.asarray(decode(bytes(data))), expected)


@pytest.mark.parametrize("form", FORMATS)
def test_what_follows_the_end_is_not_looked_at(form: str) -> None:
    data = PICTURES[f"{form} RGB"]
    for more in (b"garbage" * 30, bytes(5000), data):
        assert np.array_equal(np.asarray(decode(data + more)), np.asarray(decode(data)))


def test_a_gif_needs_no_trailer() -> None:
    data = PICTURES["GIF RGB"]
    assert data.endswith(b"\0;")
    assert np.array_equal(np.asarray(decode(data[:-1])), np.asarray(decode(data)))
    with pytest.raises(TaxohashError, match="damaged or truncated"):
        decode(data[:-40])


@pytest.mark.parametrize("form", FORMATS)
def test_half_a_picture_is_refused(form: str) -> None:
    data = encoded(noise(64, 64), form)
    with pytest.raises(TaxohashError, match="truncated"):
        decode(data[: len(data) // 2])


def test_metadata_never_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for form in ("PNG", "JPEG", "WEBP"):
            decode(encoded(noise(20, 16), form, exif=turned(6)[:20]))
            decode(encoded(noise(20, 16), form, exif=turned(6)[:14] + b"\xff" * 40))


def test_a_large_jpeg_is_refused_before_pillow_warns_of_it() -> None:
    data = bytearray(PICTURES["JPEG RGB"])
    size = struct.pack(">HH", 16, 20)
    at = data.index(size)
    data[at : at + 4] = struct.pack(">HH", 10_000, 10_001)
    with pytest.raises(TaxohashError, match="10001 x 10000 pixels, more than 40000000"):
        decode(bytes(data))


def test_a_bomb_is_refused_from_its_header() -> None:
    for side, said in ((30_000, "more than 40000000"), (7_000, "7000 x 7000 pixels")):
        bomb = SIGNATURE + header(side, side, 0, 8) + chunk(b"IDAT", zlib.compress(bytes(1000)))
        with pytest.raises(TaxohashError, match=said):
            decode(bomb)
    for form in FORMATS:
        with pytest.raises(TaxohashError, match="20 x 16 pixels, more than 319"):
            decode(PICTURES[f"{form} RGB"], max_pixels=319)
        assert decode(PICTURES[f"{form} RGB"], max_pixels=320)


def spoilt(data: bytes, random: random.Random) -> bytes:
    """The data with some bytes or bits changed, a piece cut out, doubled or taken from elsewhere, or cut off."""
    raw = bytearray(data)
    for _ in range(random.randrange(1, 4)):
        place, length = random.randrange(len(raw)), random.randrange(1, 20)
        match random.randrange(6):
            case 0:
                raw[place] = random.randrange(256)
            case 1:
                raw[place] ^= 1 << random.randrange(8)
            case 2:
                del raw[place : place + length]
            case 3:
                raw[place:place] = raw[place : place + length]
            case 4:
                start = random.randrange(len(raw))
                raw[place : place + length] = raw[start : start + length]
            case _:
                raw = raw[: max(place, 1)]
        raw = raw or bytearray(b"\0")
    return bytes(raw)


def mended(data: bytes) -> bytes:
    """A PNG whose checksums are right again, so that damage gets further."""
    at, out = len(SIGNATURE), bytearray(data)
    while at + 12 <= len(out):
        (length,) = struct.unpack_from(">I", out, at)
        if at + 12 + length > len(out):
            break
        checksum = zlib.crc32(out[at + 4 : at + 8 + length])
        struct.pack_into(">I", out, at + 8 + length, checksum)
        at += 12 + length
    return bytes(out)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_spoilt_picture_is_refused_in_one_line_or_read(name: str) -> None:
    source = random.Random(name)
    for _ in range(MUTATIONS):
        data = spoilt(PICTURES[name], source)
        if name.startswith("PNG") and source.random() < 0.7:
            data = mended(data)
        for version in (1, 2):
            try:
                image = decode(data, max_pixels=100_000, version=version)
            except TaxohashError as error:
                assert len(str(error).splitlines()) == 1  # noqa: PT017
            else:
                assert image.mode in ("L", "RGB")
                assert np.asarray(image).dtype == np.uint8


@given(
    st.sampled_from([b"", SIGNATURE, b"\xff\xd8\xff", b"RIFF\xff\0\0\0WEBP", b"GIF89a", b"BM"]),
    st.binary(max_size=300),
)
@settings(max_examples=300)
def test_any_bytes_are_refused_in_one_line(start: bytes, data: bytes) -> None:
    with pytest.raises(TaxohashError) as raised:
        decode(start + data)
    assert "\n" not in str(raised.value)


def test_unknown_formats_are_told() -> None:
    with pytest.raises(TaxohashError, match=r"unknown format\): send PNG, JPEG, WEBP, GIF, BMP"):
        decode(encoded(noise(5, 5), "TIFF"))
