"""A WebP is read without the profile and the metadata around its picture."""

import struct

import numpy as np
import pytest

from taxohash.errors import TaxohashError
from taxohash.images import decode
from taxohash.images.webp import without_metadata
from tests.support.pictures import encoded, noise, turned

IMAGE = noise(30, 24)
PLAIN = encoded(IMAGE, "WEBP", lossless=True)
DRESSED = encoded(IMAGE, "WEBP", lossless=True, exif=turned(1), icc_profile=b"profile " * 9, xmp=b"<xmp>")
EXIF, PROFILE = DRESSED.index(b"EXIF"), DRESSED.index(b"ICCP")


def test_nothing_but_the_picture_is_left() -> None:
    plain, exif = without_metadata(DRESSED)
    assert exif.endswith(turned(1).removeprefix(b"Exif\0\0"))
    assert not [name for name in (b"ICCP", b"EXIF", b"XMP ", b"profile") if name in plain]
    assert len(plain) == 8 + struct.unpack_from("<I", plain, 4)[0]
    assert np.array_equal(np.asarray(decode(DRESSED)), np.asarray(IMAGE))


@pytest.mark.parametrize(
    "damaged",
    [
        DRESSED[: EXIF + 8] + b"\xff" * (len(DRESSED) - EXIF - 8),
        DRESSED[: EXIF + 4] + b"\xff\xff\xff\x7f" + DRESSED[EXIF + 8 :],
        DRESSED[: EXIF + 12],
        DRESSED[:EXIF],
        DRESSED[: PROFILE + 8] + b"\xff" * 72 + DRESSED[PROFILE + 80 :],
        DRESSED[:4] + struct.pack("<I", len(DRESSED) + 500) + DRESSED[8:],
        DRESSED + b"garbage" * 99,
        PLAIN + b"garbage",
    ],
)
def test_what_stands_around_the_picture_may_be_damaged(damaged: bytes) -> None:
    assert np.array_equal(np.asarray(decode(damaged)), np.asarray(IMAGE))


@pytest.mark.parametrize("cut", [2, 9, len(PLAIN) // 2, len(PLAIN) - 20])
def test_the_picture_may_not_be_cut_off(cut: int) -> None:
    with pytest.raises(TaxohashError, match="damaged or truncated"):
        decode(PLAIN[:-cut])


def test_parts_without_end_are_refused() -> None:
    many = b"WEBP" + b"none\0\0\0\0" * 70_000
    with pytest.raises(TaxohashError, match="more than 65536 parts"):
        decode(b"RIFF" + struct.pack("<I", len(many)) + many)


def test_opacity_and_animation_stay() -> None:
    frames = [noise(9, 7, "RGBA", seed) for seed in range(2)]
    still = encoded(frames[0], "WEBP", lossless=True, exact=True)
    moving = encoded(
        frames[0], "WEBP", lossless=True, exact=True, save_all=True, append_images=frames[1:], exif=turned(6)
    )
    assert decode(moving).size == (7, 9)
    assert np.array_equal(np.rot90(np.asarray(decode(moving))), np.asarray(decode(still)))
    assert not np.array_equal(np.asarray(decode(still)), np.asarray(frames[0].convert("RGB")))
