"""No shape, mode or format takes more memory than was foretold, under a real limit of the system."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Literal

import pytest

from services.retrieval.decoding.decoder import Decoder
from services.retrieval.decoding.decoders import heavy_memory
from services.retrieval.decoding.wire import HASH_BYTES, Bounds, Kind
from services.retrieval.settings import Limits
from taxohash.images import cost
from tests.support.confined import Confined, confined
from tests.support.extremes import makers
from tests.support.pictures import encoded, noise

MAKERS = dict(makers())
WIDEST = {"WEBP": 16_383}  # of what its header can tell
LIMITS = Limits()
MOST = 3 * 224 * 224 + HASH_BYTES  # bytes of an answer
AS_JSON = b'{"size":224,"channels":3,"fit":"pad","mean":[0,0,0],"std":[1,1,1],"reader":2}'
Fit = Literal["pad", "crop"]
Way = tuple[int, Fit]  # reader and fit
FITS: tuple[Fit, ...] = ("pad", "crop")


def shapes(name: str, pixels: int) -> list[tuple[int, int]]:
    """Square, and as wide and as high as can be."""
    longest = min(WIDEST.get(name.split()[0], LIMITS.side), pixels)
    square = int(pixels**0.5)
    return [(square, square), (longest, pixels // longest), (pixels // longest, longest)]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Confined]:
    with confined(tmp_path_factory.mktemp("confined")) as found:
        yield found


def check(process: Confined, name: str, sizes: Sequence[tuple[int, int]], ways: Sequence[Way]) -> None:
    for width, height in sizes:
        picture = MAKERS[name](width, height)
        assert cost(picture).memory <= heavy_memory(LIMITS)
        for reader, fit in ways:
            kind = process.read(picture, reader, fit)
            refused = kind.startswith("REFUSED") and reader == 1 and "unended" in name
            assert kind == "PIXELS" or refused, (name, width, height, reader, fit, kind)


def check_one(process: Confined, name: str, pixels: int) -> None:
    """One shape in one of the ways, others for each form."""
    turn, sizes = list(MAKERS).index(name), shapes(name, pixels)
    ways = [(reader, fit) for reader in (1, 2) for fit in FITS]
    check(process, name, [sizes[turn % len(sizes)]], [ways[turn % len(ways)]])


@pytest.mark.parametrize("name", MAKERS)
def test_a_megapixel_takes_what_was_foretold(process: Confined, name: str) -> None:
    check_one(process, name, 1_000_000)


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
def test_a_megapixel_of_any_shape_takes_what_was_foretold(process: Confined, name: str) -> None:
    check(process, name, shapes(name, 1_000_000), [(1, "crop"), (2, "pad")])


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
def test_the_largest_pictures_take_what_was_foretold(process: Confined, name: str) -> None:
    """All shapes in all ways together take ten minutes."""
    check_one(process, name, LIMITS.pixels)


@pytest.mark.parametrize(("form", "options"), [
    ("JPEG", {"quality": 100, "subsampling": 0}),
    ("PNG", {"compress_level": 0}),
    ("BMP", {}),
    ("GIF", {}),
    ("WEBP", {"lossless": True, "quality": 0, "method": 0}),
])  # fmt: skip
def test_many_bytes_take_what_was_foretold(process: Confined, form: str, options: dict[str, object]) -> None:
    picture = encoded(noise(900, 900), form, **options)
    for reader in (1, 2):
        assert process.read(picture, reader, "pad") == "PIXELS"


async def two_answers(memory: int, *pictures: bytes) -> list[Kind]:
    decoder = await Decoder.start()
    try:
        await decoder.confine(Bounds(memory, 60.0, 0, LIMITS.pixels))
        return [(await decoder.ask(picture, AS_JSON, 60.0, MOST))[0] for picture in pictures]
    finally:
        await decoder.end()


@pytest.mark.parametrize(
    "name", ["PNG colour 6 depth 8", "JPEG RGB progressive", "WEBP RGBA", "GIF P", "BMP RLE8"]
)
def test_what_takes_more_is_told_so_and_the_next_is_read(name: str) -> None:
    kinds = asyncio.run(two_answers(12 << 20, MAKERS[name](2500, 2500), MAKERS[name](30, 20)))
    assert kinds[0] in (Kind.MEMORY, Kind.REFUSED)  # libjpeg and libwebp do not tell why they stop
    assert kinds[1] == Kind.PIXELS


async def all_of_them(memory: int, pixels: int, most_shapes: int = 3) -> dict[str, Kind]:
    decoder = await Decoder.start()
    try:
        await decoder.confine(Bounds(memory, 120.0, 0, LIMITS.pixels))
        answers = {}
        for name, make in MAKERS.items():
            for shape in shapes(name, pixels)[:most_shapes]:
                preprocessing = (
                    b'{"size":224,"channels":3,"fit":"pad","mean":[0,0,0],"std":[1,1,1],"reader":2}'
                )
                kind, _ = await decoder.ask(make(*shape), preprocessing, 120.0, MOST)
                answers[f"{name} {shape}"] = kind
        return answers
    finally:
        await decoder.end()


@pytest.mark.slow
def test_one_decoder_reads_them_all_one_after_the_other() -> None:
    """Nothing of a picture stays that the next one would lack."""
    pixels = LIMITS.pixels // 32
    most = max(cost(make(*size)).memory for name, make in MAKERS.items() for size in shapes(name, pixels))
    answers = asyncio.run(all_of_them(most, pixels))
    assert {name: kind for name, kind in answers.items() if kind != Kind.PIXELS} == {}


@pytest.mark.slow
def test_one_decoder_reads_the_largest_one_after_the_other() -> None:
    answers = asyncio.run(all_of_them(heavy_memory(LIMITS), LIMITS.pixels, 1))
    assert {name: kind for name, kind in answers.items() if kind != Kind.PIXELS} == {}
