"""The first reader gives what it gave."""

import struct
from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
import pytest

from taxohash.errors import TaxohashError
from taxohash.images import Preprocessing, decode, read_pixels
from tests.support import naive_png
from tests.support.naive_png import FORMS, SAMPLES, chunk
from tests.support.pictures import encoded, noise

# Of what the reader of version 0.1 made of the pictures below.
PIXELS = "4621782af8aed39ae317d2cd74fa8925"


def pictures() -> Iterator[bytes]:
    """Each form of PNG with and without transparency, and BMPs: bytes that no library decides."""
    for colour, depth in FORMS:
        random = np.random.default_rng(depth)
        samples = random.integers(0, 1 << depth, (7, 9, SAMPLES[colour]))
        palette = chunk(b"PLTE", random.bytes(3 << min(depth, 8))) if colour == 3 else b""
        key = struct.pack(f">{samples.shape[2]}H", *samples[0, 0].tolist())
        alpha = b"\x80\0" if colour == 3 else key if colour in (0, 2) else b""
        yield naive_png.encode(samples, colour, depth, before=palette)
        yield naive_png.encode(
            samples, colour, depth, before=palette + chunk(b"tRNS", alpha), interlaced=True
        )
    for mode in ("1", "L", "RGB", "RGBA"):
        yield encoded(noise(9, 7, mode), "BMP")


def test_its_pixels_are_what_they_were() -> None:
    digest = blake2b(digest_size=16)
    for channels in (1, 3):
        preprocessing = Preprocessing(6, channels, "pad", (0.0,) * channels, (1.0,) * channels, reader=1)
        for data in pictures():
            digest.update(read_pixels(data, preprocessing).tobytes())
    assert digest.hexdigest() == PIXELS


def test_where_it_erred_the_later_reader_does_not() -> None:
    samples = np.array([[[0x8000], [0x4000]]], np.int64)
    keyed = naive_png.encode(samples, 0, 16, before=chunk(b"tRNS", b"\0\0"))
    assert np.asarray(decode(keyed, version=1)).tolist() == [[[255] * 3] * 2]
    assert np.asarray(decode(keyed)).tolist() == [[0x80, 0x40]]
    long = naive_png.encode(samples * 0, 3, 8, before=chunk(b"PLTE", bytes(3)) + chunk(b"tRNS", bytes(300)))
    with pytest.raises(TaxohashError, match="cannot be decoded"):
        decode(long, version=1)
    assert not np.asarray(decode(long)).any()


@pytest.mark.parametrize("size", [(7, 768), (7, 5), (9_000, 9_000)])
@pytest.mark.parametrize("colour", [0, 2, 3, 4, 6])
@pytest.mark.parametrize("depth", [1, 8, 16])
@pytest.mark.parametrize("compression", [0, 5])
def test_a_second_header_is_never_half_believed(
    size: tuple[int, int], colour: int, depth: int, compression: int
) -> None:
    samples = np.zeros((5, 7, 1), np.int64)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, compression, 0, 0))
    damaged = chunk(b"eXIf", b"\xff\xff")
    for before in (header, header + damaged):
        data = naive_png.encode(samples, 3, 8, before=chunk(b"PLTE", bytes(30)) + before)
        try:
            image = decode(data, 1_000_000, version=1)
        except TaxohashError:
            continue
        assert image.mode in ("L", "RGB")
        assert image.width * image.height <= 1_000_000
