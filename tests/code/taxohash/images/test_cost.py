"""Costs are told from headers: every size rightly, whatever surrounds it, and bombs by what they would take."""

import importlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks.common.bombs import ARITHMETIC, BASELINE, PROGRESSIVE, jpeg, segment
from services.retrieval.decoding.decoders import SMALL_SECONDS
from taxohash.errors import TaxohashError
from taxohash.images import MOST_SCANS, cost, decode
from tests.support.extremes import makers, png
from tests.support.naive_png import SIGNATURE, chunk, header
from tests.support.pictures import encoded, every_picture, noise

costs = importlib.import_module("taxohash.images.cost")  # the room has a function of that name
MAKERS = dict(makers())
PICTURES = dict(every_picture(20, 16))


@pytest.mark.parametrize("name", PICTURES)
def test_the_size_is_the_one_that_is_decoded(name: str) -> None:
    found, image = cost(PICTURES[name]), decode(PICTURES[name])
    size = (image.height, image.width) if name.endswith("turned") else image.size
    assert (found.width, found.height) == size


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (130, 90)])
def test_every_shape_is_told(name: str, size: tuple[int, int]) -> None:
    found = cost(MAKERS[name](*size))
    assert (found.width, found.height) == size
    assert 0 < found.seconds < 0.05
    assert 0 < found.memory < 16 << 20


@pytest.mark.parametrize("name", MAKERS)
def test_more_pixels_cost_more(name: str) -> None:
    little, much = (cost(MAKERS[name](side, side)) for side in (64, 1024))
    assert little.seconds < much.seconds
    assert little.memory < much.memory


def test_a_jpeg_of_many_scans_costs_them_all() -> None:
    one, many = (cost(jpeg(4000, 4000, PROGRESSIVE, scans=scans)) for scans in (1, 400))
    assert many.scans == 400
    assert many.seconds > 5 * one.seconds
    assert many.memory == pytest.approx(one.memory, rel=0.01)
    bomb = cost(jpeg(4000, 4000, PROGRESSIVE, scans=20_000))
    assert bomb.scans == MOST_SCANS + 1
    assert (
        cost(jpeg(64, 64, BASELINE, scans=20_000)).scans == 1
    )  # libjpeg stops after the first, which has all


@given(st.integers(0, 200), st.integers(1, 40))
def test_scans_are_counted_wherever_they_lie(shift: int, piece: int) -> None:
    data = jpeg(8, 8, PROGRESSIVE, scans=30, between=segment(0xFE, bytes(shift)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "_PIECE", piece)
        assert cost(data).scans == 30


def test_arithmetic_coding_and_a_missing_end_cost_more() -> None:
    plain = cost(jpeg(2000, 2000, BASELINE)).seconds
    assert cost(jpeg(2000, 2000, ARITHMETIC)).seconds > 2 * plain
    assert cost(jpeg(2000, 2000, BASELINE)[:-2]).seconds > 2 * plain


def test_a_frame_beyond_its_screen_counts() -> None:
    data = bytearray(encoded(Image.new("P", (30, 40)), "GIF"))
    struct.pack_into("<HH", data, 6, 1, 1)
    assert cost(bytes(data))[:2] == (30, 40)


def test_comments_hide_no_frame() -> None:
    data = encoded(Image.new("P", (30, 40)), "GIF")
    at = 13 + (3 << (data[10] & 7) + 1)
    for comment in (b"!\xfe\0", b"!\xfe\3,,;\0", b"!\xff\1;\1,\0" * 50, b"junk"):
        assert cost(data[:at] + comment + data[at:])[:2] == (30, 40)


def test_as_many_tables_as_are_gone_through_cost_little() -> None:
    tables = segment(0xC4, b"\0\1" + bytes(15) + b"\0") * 250
    assert cost(jpeg(64, 64, BASELINE, between=tables)).seconds < SMALL_SECONDS


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.new("P", (30, 40)), "GIF")[:13] + b"!\xfe" + b"\1a" * 100_000 + b"\0",
        jpeg(8, 8, BASELINE, between=segment(0xFE, b"")),
        b"\xff\xd8" + segment(0xFE, b"") * 5000,
    ],
    ids=["GIF", "JPEG", "JPEG without a picture"],
)
def test_what_hides_its_header_is_taken_for_heavy(data: bytes) -> None:
    if data.startswith(b"\xff\xd8\xff\xdb"):
        data = data[:2] + segment(0xFE, b"") * 300 + data[2:]
    assert cost(data).seconds >= 1


@pytest.mark.parametrize("data", [b"", b"x", b"GIF89a", b"BM", b"\xff\xd8\xff", SIGNATURE, b"RIFF0000WEBP"])
def test_what_is_no_picture_costs_nothing(data: bytes) -> None:
    found = cost(data)
    assert (found.width, found.height) == (0, 0)
    assert found.seconds < 1e-6


@given(st.sampled_from([*PICTURES.values(), png(9, 9, 3, 8)]), st.data())
def test_any_bytes_have_a_cost(data: bytes, draw: st.DataObject) -> None:
    raw = bytearray(data[: draw.draw(st.integers(0, len(data)))])
    for _ in range(draw.draw(st.integers(0, 4)) if raw else 0):
        raw[draw.draw(st.integers(0, len(raw) - 1))] = draw.draw(st.integers(0, 255))
    found = cost(bytes(raw))
    assert min(found.width, found.height, found.seconds) >= 0
    try:
        image = decode(bytes(raw))
    except TaxohashError:
        return
    assert found.width * found.height >= image.width * image.height


def test_a_large_picture_is_weighed_without_looking_at_its_pixels() -> None:
    lying = SIGNATURE + header(2**31 - 1, 2**31 - 1, 6, 16) + chunk(b"IDAT", zlib.compress(b""))
    assert cost(lying).width == 2**31 - 1
    assert cost(encoded(noise(64, 64), "PNG")[:33])[:2] == (64, 64)
