"""Every bit depth, colour type and transparency, against a decoder by the definition; and what is damaged how."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxohash.errors import TaxohashError
from taxohash.images import decode
from taxohash.images.png import shown_alike
from tests.support import naive_png
from tests.support.naive_png import FORMS, SAMPLES, SIGNATURE, Samples, chunk, header
from tests.support.pictures import encoded, every_picture, noise, turned

OPAQUE = b""


def keys(values: list[int]) -> bytes:
    return chunk(b"tRNS", struct.pack(f">{len(values)}H", *values))


def drawn(seed: int, width: int, height: int, colour: int, depth: int) -> Samples:
    """Samples of few levels, so that a colour occurs again."""
    random = np.random.default_rng(seed)
    levels = random.integers(0, 1 << depth, 3)
    return random.choice(levels, (height, width, SAMPLES[colour])).astype(np.int64)


@given(
    form=st.sampled_from(FORMS),
    transparent=st.booleans(),
    above=st.integers(0, 65535),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    interlaced=st.booleans(),
    filters=st.lists(st.integers(0, 4), min_size=1, max_size=5),
    colours=st.integers(1, 256),
    pieces=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=400)
def test_every_form_is_read_by_the_definition(
    form: tuple[int, int],
    transparent: bool,
    above: int,
    size: tuple[int, int],
    interlaced: bool,
    filters: list[int],
    colours: int,
    pieces: int,
    seed: int,
) -> None:
    colour, depth = form
    samples = drawn(seed, *size, colour, depth)
    top, before = (1 << depth) - 1, b""
    random = np.random.default_rng(seed)
    if colour == 3:
        colours = min(colours, top + 1)  # indices may lie beyond
        before = chunk(b"PLTE", random.bytes(3 * colours))
    if transparent and colour == 3:
        before += chunk(b"tRNS", random.bytes(int(random.integers(1, colours + 1))))
    elif transparent and colour in (0, 2):  # bits above the depth are to be ignored
        before += keys([int(level) | (above & ~top) for level in samples[-1, -1]])
    data = naive_png.encode(
        samples, colour, depth, interlaced=interlaced, filters=filters, before=before, pieces=pieces
    )
    found, expected = decode(data), naive_png.decode(data)
    assert found.mode == ("L" if colour in (0, 4) else "RGB")
    assert np.array_equal(np.asarray(found), expected)


@pytest.mark.parametrize(("colour", "depth"), FORMS)
@pytest.mark.parametrize("transparent", [False, True])
def test_each_form_once(colour: int, depth: int, transparent: bool) -> None:
    samples = drawn(depth, 9, 7, colour, depth)
    before = chunk(b"PLTE", bytes(range(6))) if colour == 3 else b""
    if transparent:
        before += chunk(b"tRNS", b"\x00\x80") if colour == 3 else keys(samples[0, 0].tolist())
    data = naive_png.encode(samples, colour, depth, before=before, filters=(0, 1, 2, 3, 4))
    plain = (
        data if colour not in (4, 6) else naive_png.encode(samples, colour, depth, filters=(0, 1, 2, 3, 4))
    )
    assert np.array_equal(np.asarray(decode(data)), naive_png.decode(plain))


def test_sixteen_bit_colours_that_differ_in_low_bits_only_are_told_apart() -> None:
    samples = np.array([[[0x1234] * 3, [0x1235] * 3, [0x1334] * 3]], np.int64)
    for colour, pixels in ((2, samples), (0, samples[..., :1])):
        data = naive_png.encode(pixels, colour, 16, before=keys(pixels[0, 1].tolist()))
        found = np.asarray(decode(data)).reshape(3, -1)
        assert [set(pixel.tolist()) for pixel in found] == [{0x12}, {255}, {0x13}]


INDICES = np.array([[[0], [1], [2], [1]]], np.int64)
RED_GREEN_BLUE = chunk(b"PLTE", b"\xff\0\0\0\xff\0\0\0\xff")
RED, GREEN, BLUE, BLACK, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255)
GREYS = np.array([[[0], [1], [2], [1]]], np.int64)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (RED_GREEN_BLUE, [RED, GREEN, BLUE, GREEN]),
        (RED_GREEN_BLUE + chunk(b"tRNS", b"\xff\0"), [RED, WHITE, BLUE, WHITE]),
        (RED_GREEN_BLUE + chunk(b"tRNS", b"\xff\0\xff"), [RED, WHITE, BLUE, WHITE]),
        # What does not fit is ignored, as by libpng: too long, empty, damaged, misplaced, the second of two.
        (RED_GREEN_BLUE + chunk(b"tRNS", b"\xff\0\xff\xff"), [RED, GREEN, BLUE, GREEN]),
        (RED_GREEN_BLUE + chunk(b"tRNS", bytes(257)), [RED, GREEN, BLUE, GREEN]),
        (RED_GREEN_BLUE + chunk(b"tRNS", bytes(300_000)), [RED, GREEN, BLUE, GREEN]),
        (RED_GREEN_BLUE + chunk(b"tRNS"), [RED, GREEN, BLUE, GREEN]),
        (RED_GREEN_BLUE + chunk(b"tRNS", b"\xff\0", damage=1), [RED, GREEN, BLUE, GREEN]),
        (chunk(b"tRNS", b"\0\0") + RED_GREEN_BLUE, [RED, GREEN, BLUE, GREEN]),
        (RED_GREEN_BLUE + chunk(b"tRNS", b"\xff\0") + chunk(b"tRNS", b"\0"), [RED, WHITE, BLUE, WHITE]),
        # Beyond the palette it is black, and opaque.
        (chunk(b"PLTE", b"\xff\0\0") + chunk(b"tRNS", b"\0"), [WHITE, BLACK, BLACK, BLACK]),
        (chunk(b"PLTE", b"\xff\0\0"), [RED, BLACK, BLACK, BLACK]),
    ],
)
def test_palettes(before: bytes, expected: list[tuple[int, int, int]]) -> None:
    data = naive_png.encode(INDICES, 3, 8, before=before)
    assert list(map(tuple, np.asarray(decode(data))[0].tolist())) == expected


def test_a_palette_longer_than_its_depth_is_cut() -> None:
    long = chunk(b"PLTE", bytes(3) + b"\xff\0\0" * 9)
    data = naive_png.encode(INDICES % 2, 3, 1, before=long + chunk(b"tRNS", b"\xff\0"))
    assert list(map(tuple, np.asarray(decode(data))[0].tolist())) == [BLACK, WHITE, BLACK, WHITE]
    data = naive_png.encode(INDICES % 2, 3, 1, before=long + chunk(b"tRNS", b"\xff\0\0"))  # more than two
    assert list(map(tuple, np.asarray(decode(data))[0].tolist())) == [BLACK, RED, BLACK, RED]


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\1\0", b"\0\1" * 3, bytes(257)])
def test_a_key_of_another_length_is_ignored(body: bytes) -> None:
    data = naive_png.encode(GREYS, 0, 2, before=chunk(b"tRNS", body))
    assert np.asarray(decode(data)).tolist() == [[0, 85, 170, 85]]


def test_pictures_with_opacity_have_no_key() -> None:
    samples = drawn(1, 4, 4, 6, 8)
    data = naive_png.encode(samples, 6, 8, before=keys(samples[0, 0, :3].tolist()))
    assert np.array_equal(np.asarray(decode(data)), np.asarray(decode(naive_png.encode(samples, 6, 8))))


LARGE = zlib.compress(bytes(3_000_000))
AROUND = {
    "large compressed text": chunk(b"zTXt", b"note\0\0" + LARGE),
    "large international text": chunk(b"iTXt", b"note\0\1\0\0\0" + LARGE),
    "large profile": chunk(b"iCCP", b"name\0\0" + LARGE),
    "profile of unknown compression": chunk(b"iCCP", b"name\0\7" + LARGE),
    "profile without a name": chunk(b"iCCP", b""),
    "short gamma": chunk(b"gAMA", b"\0"),
    "short chromaticities": chunk(b"cHRM", bytes(5)),
    "short size": chunk(b"pHYs", b""),
    "short sRGB": chunk(b"sRGB", b""),
    "short EXIF": chunk(b"eXIf", b"MM"),
    "wrong checksum": chunk(b"tEXt", b"a\0b", damage=1),
    "unknown": chunk(b"abCd", b"anything"),
    "short animation": chunk(b"acTL", b"\0"),
    "animation of frames elsewhere": chunk(b"acTL", bytes(8)) + chunk(b"fcTL", b"\xff" * 26),
    "suggested palette": chunk(b"PLTE", b"\1"),
    "damaged suggested palette": chunk(b"PLTE", b"\1\2\3", damage=1),
}


@pytest.mark.parametrize("name", AROUND)
def test_what_stands_around_the_pixels_may_be_large_or_damaged(name: str) -> None:
    samples = drawn(2, 9, 8, 2, 8)
    plain = np.asarray(decode(naive_png.encode(samples, 2, 8)))
    for place in ("before", "after"):
        data = naive_png.encode(samples, 2, 8, **{place: AROUND[name]})  # type: ignore[arg-type]
        assert np.array_equal(np.asarray(decode(data)), plain)


def test_colour_spaces_are_ignored() -> None:
    samples = drawn(2, 9, 8, 2, 8)
    before = chunk(b"gAMA", struct.pack(">I", 100_000)) + chunk(b"sBIT", b"\5\5\5") + chunk(b"bKGD", bytes(6))
    data = naive_png.encode(samples, 2, 8, before=before)
    assert np.array_equal(np.asarray(decode(data)), samples)


@pytest.mark.parametrize("place", ["before", "after"])
def test_orientation_stands_before_or_after_the_pixels(place: str) -> None:
    data = naive_png.encode(drawn(2, 9, 8, 2, 8), 2, 8, **{place: chunk(b"eXIf", turned(6)[6:])})  # type: ignore[arg-type]
    assert decode(data).size == (8, 9)


PLAIN = naive_png.encode(drawn(2, 9, 8, 2, 8), 2, 8, filters=(1, 2))
END = len(chunk(b"IEND"))


@pytest.mark.parametrize("cut", range(END + 1))
def test_the_end_may_be_missing(cut: int) -> None:
    assert np.array_equal(np.asarray(decode(PLAIN[: len(PLAIN) - cut])), np.asarray(decode(PLAIN)))


@pytest.mark.parametrize("cut", range(END + 1, len(PLAIN) - len(SIGNATURE) + 1))
def test_nothing_else_may_be_missing(cut: int) -> None:
    with pytest.raises(TaxohashError, match="truncated"):
        decode(PLAIN[: len(PLAIN) - cut])


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("level", [0, 200])
def test_a_stream_that_ends_before_the_last_line_is_truncated(interlaced: bool, level: int) -> None:
    lines = naive_png.scanlines(np.full((9, 8, 1), level, np.int64), 8, interlaced, (0,))
    for missing in (1, 9, len(lines)):
        stream = zlib.compress(lines[:-missing]) + b"garbage"
        start = SIGNATURE + header(8, 9, 0, 8, interlaced)
        with pytest.raises(TaxohashError, match="truncated"):
            decode(start + chunk(b"IDAT", stream) + chunk(b"IEND"))


def test_a_stream_may_be_longer_than_its_picture() -> None:
    lines = naive_png.scanlines(np.zeros((9, 8, 1), np.int64), 8, False, (0,))
    stream = zlib.compress(lines + b"more" * 50) + b"garbage"
    found = decode(SIGNATURE + header(8, 9, 0, 8) + chunk(b"IDAT", stream) + chunk(b"IEND"))
    assert not np.asarray(found).any()


IHDR, IDAT = header(9, 8, 2, 8), PLAIN[len(SIGNATURE + header(9, 8, 2, 8)) : -END]


def heading(*values: int) -> bytes:
    return SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", *values)) + IDAT


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (PLAIN.replace(b"IHDR", b"IHDS"), "a part of PNG is missing"),
        (SIGNATURE + IDAT, "a part of PNG is missing"),
        (SIGNATURE + IHDR + chunk(b"IEND"), "a part of PNG is missing"),
        (SIGNATURE + IHDR + IHDR + IDAT, "its part IHDR is not known"),
        (SIGNATURE + chunk(b"CgBI", b"\x50\0\x20\2") + IHDR + IDAT, "a part of PNG is missing"),
        (SIGNATURE + IHDR + chunk(b"ABCD") + IDAT, "its part ABCD is not known"),
        (SIGNATURE + chunk(b"IHDR", IHDR[8:21], damage=1) + IDAT, "checksum of its part IHDR"),
        (PLAIN[: -END - 1] + b"\0" + PLAIN[-END:], "checksum of its part IDAT"),
        (SIGNATURE + chunk(b"IHDR", IHDR[8:20]) + IDAT, "header has another length"),
        (heading(0, 8, 8, 2, 0, 0, 0), "0 x 8 pixels"),
        (heading(2**31, 8, 8, 2, 0, 0, 0), "2147483648 x 8 pixels"),
        (heading(9, 8, 4, 2, 0, 0, 0), "what PNG does not know"),
        (heading(9, 8, 16, 3, 0, 0, 0), "what PNG does not know"),
        (heading(9, 8, 8, 5, 0, 0, 0), "what PNG does not know"),
        (heading(9, 8, 8, 2, 1, 0, 0), "what PNG does not know"),
        (heading(9, 8, 8, 2, 0, 64, 0), "what PNG does not know"),
        (heading(9, 8, 8, 2, 0, 0, 2), "what PNG does not know"),
        (heading(9, 8, 8, 3, 0, 0, 0), "it has no palette"),
        (naive_png.encode(INDICES, 3, 8, before=chunk(b"PLTE", bytes(4))), "palette has 4 bytes"),
        (naive_png.encode(INDICES, 3, 8, before=chunk(b"PLTE", bytes(771))), "palette has 771 bytes"),
        (naive_png.encode(INDICES, 3, 8, before=chunk(b"PLTE")), "palette has 0 bytes"),
        (naive_png.encode(INDICES, 3, 8, after=RED_GREEN_BLUE), "it has no palette"),
        (naive_png.encode(INDICES, 3, 8, before=2 * RED_GREEN_BLUE), "it has two palettes"),
        (
            naive_png.encode(INDICES, 3, 8, before=chunk(b"PLTE", bytes(9), damage=1)),
            "checksum of its part PLTE",
        ),
        (SIGNATURE + IHDR + chunk(b"IDAT", b"nothing of zlib"), "damaged"),
        (SIGNATURE + IHDR + chunk(b"abCd") * 70_000 + IDAT, "more than 65536 parts"),
        (SIGNATURE + IHDR + b"\xff\xff\xff\xffabCd" + IDAT, "truncated"),
        (SIGNATURE + IHDR + chunk(b"IDAT") + chunk(b"tEXt") + IDAT, "truncated"),  # two streams
    ],
)
def test_what_is_critical_is_sound(data: bytes, said: str) -> None:
    with pytest.raises(TaxohashError) as raised:
        decode(data)
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_sizes_are_refused_before_anything_is_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("PIL.Image.frombytes", never)
    with pytest.raises(TaxohashError, match="9 x 8 pixels, more than 71"):
        decode(PLAIN, max_pixels=71)


def shown() -> dict[str, tuple[bytes, bool]]:
    make: Callable[..., bytes] = naive_png.encode
    made = {
        f"{colour} {depth}": (
            make(drawn(1, 9, 8, colour, depth), colour, depth, before=RED_GREEN_BLUE if colour == 3 else b""),
            colour in (0, 2, 3) and depth <= 8,
        )
        for colour, depth in FORMS
    }
    for name in ("short gamma", "short EXIF", "large profile"):
        made[name] = (make(drawn(1, 9, 8, 2, 8), 2, 8, before=AROUND[name]), False)
        made[name + " after"] = (make(drawn(1, 9, 8, 2, 8), 2, 8, after=AROUND[name]), False)
    made["key"] = (make(GREYS, 0, 8, before=keys([1])), False)
    made["large"] = (encoded(noise(33, 1)), False)
    made["damaged"] = (PLAIN[: -END - 1] + PLAIN[-END:], False)
    return made | {name: (data, False) for name, data in every_picture() if not name.startswith("PNG")}


@pytest.mark.parametrize(("data", "alike"), shown().values(), ids=shown())
def test_only_a_bare_opaque_small_png_is_shown_alike_by_all(data: bytes, alike: bool) -> None:
    assert shown_alike(data, side=32) is alike
