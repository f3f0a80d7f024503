"""PNG as libpng reads it: chunks here, filters and interlacing by Pillow (PNG 3rd edition, sections 5 to 13).

Pillow's own reading of chunks refuses sound pictures for what stands around them, and errs on transparency. Only
IHDR, PLTE, tRNS, IDAT and eXIf are looked at. What may be ignored (tRNS, eXIf) is where it is damaged or misplaced.
"""

import struct
import zlib
from collections.abc import Iterator
from functools import reduce
from typing import NamedTuple

from PIL import Image, ImageChops

from taxohash.images.flat import flatten, on_white
from taxohash.images.formats import UnreadableError
from taxohash.images.strips import by_strips

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6  # colour types
_SAMPLES = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGB_ALPHA: 4}
# By colour type and bit depth Pillow's mode, and its name for how the samples lie in the file.
_LAYOUTS = {
    (_GREY, 1): ("1", "1"),
    (_GREY, 2): ("L", "L;2"),
    (_GREY, 4): ("L", "L;4"),
    (_GREY, 8): ("L", "L"),
    (_GREY, 16): ("L", "L;16B"),
    (_RGB, 8): ("RGB", "RGB"),
    (_RGB, 16): ("RGB", "RGB;16B"),
    (_PALETTE, 1): ("P", "P;1"),
    (_PALETTE, 2): ("P", "P;2"),
    (_PALETTE, 4): ("P", "P;4"),
    (_PALETTE, 8): ("P", "P"),
    (_GREY_ALPHA, 8): ("LA", "LA"),
    (_GREY_ALPHA, 16): ("RGBA", "LA;16B"),
    (_RGB_ALPHA, 8): ("RGBA", "RGBA"),
    (_RGB_ALPHA, 16): ("RGBA", "RGBA;16B"),
}
# Of 16-bit samples, where the layouts above give the upper ones.
_LOWER_BYTES = {_GREY: "L;16", _RGB: "RGB;16L"}
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_MOST_CHUNKS = 65_536
_PIECE = 4096  # bytes that are inflated at once


class Header(NamedTuple):
    """IHDR."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    @property
    def scanline_bytes(self) -> int:
        """Of all scanlines, with their filter types."""
        total = 0
        for left, top, across, down in _ADAM7 if self.interlaced else _WHOLE:
            columns = -(-(self.width - left) // across)
            lines = -(-(self.height - top) // down)
            if columns > 0 and lines > 0:
                total += lines * (1 + -(-columns * self.depth * _SAMPLES[self.colour] // 8))
        return total


class Png(NamedTuple):
    """What matters of a PNG.

    Attributes:
        palette: PLTE of a picture that has one.
        transparency: tRNS, if it fits the colour type.
        stream: the compressed scanlines.
        exif: eXIf.
        bare: nothing else than the picture is in the file.
    """

    header: Header
    palette: bytes
    transparency: bytes
    stream: bytes
    exif: bytes
    bare: bool


class _Chunk(NamedTuple):
    kind: bytes
    body: memoryview
    checksum: int

    @property
    def sound(self) -> bool:
        return zlib.crc32(self.body, zlib.crc32(self.kind)) == self.checksum

    @property
    def critical(self) -> bool:
        return self.kind[:1].isupper()


def parse(data: bytes) -> Png:
    """The parts of a PNG; its pixels are not touched.

    Raises:
        UnreadableError: what is critical is damaged, absent or unknown.
    """
    chunks = list(_chunks(data))
    kinds = [chunk.kind for chunk in chunks]
    if kinds[:1] != [b"IHDR"] or b"IDAT" not in kinds:
        raise UnreadableError(
            "truncated" if kinds in ([], [b"IHDR"]) else "damaged: a part of PNG is missing"
        )
    header = _header(_checked(chunks[0]))
    first = last = kinds.index(b"IDAT")
    while kinds[last : last + 1] == [b"IDAT"]:  # later ones are not of this stream
        last += 1
    palette = transparency = b""
    for chunk in chunks[1:first]:
        if chunk.kind == b"PLTE":  # of other colour types it is a mere suggestion
            if header.colour == _PALETTE:
                if palette:
                    raise UnreadableError("damaged: it has two palettes")
                palette, transparency = _palette(_checked(chunk)), b""
        elif chunk.kind == b"tRNS":
            if not transparency and chunk.sound:
                transparency = _transparency(bytes(chunk.body), header, palette)
        elif chunk.critical:
            raise UnreadableError(f"its part {chunk.kind.decode()} is not known")
    if header.colour == _PALETTE and not palette:
        raise UnreadableError("damaged: it has no palette")
    stream = b"".join(_checked(chunk) for chunk in chunks[first:last])
    exif = next((bytes(chunk.body) for chunk in chunks if chunk.kind == b"eXIf" and chunk.sound), b"")
    bare = all(chunk.critical for chunk in chunks)
    return Png(header, palette, transparency, stream, exif, bare)


def picture(png: Png) -> Image.Image:
    """The pixels in mode L or RGB, on white; of 16 bits the upper eight.

    Raises:
        UnreadableError: there are too few, or they are damaged.
    """
    header = png.header
    image = _unfiltered(png, *_LAYOUTS[header.colour, header.depth])
    if not _whole(image, png):
        raise UnreadableError("truncated")
    if header.colour == _PALETTE:
        return _coloured(image, png)
    if header.colour == _GREY_ALPHA:
        return by_strips("L", _grey_on_white, image)
    if header.colour == _RGB_ALPHA:
        return flatten(image)
    if image.mode == "1":
        image = image.convert("L")
    return _without_key(image, png) if png.transparency else image


def shown_alike(data: bytes, side: int) -> bool:
    """Whether this is a PNG of at most `side` pixels a side that any program shows as it is read here.

    It has no more than 8 bits a sample, nothing transparent, and no gamma, profile, orientation or animation.
    """
    if not data.startswith(SIGNATURE):
        return False
    try:
        png = parse(data)
    except UnreadableError:
        return False
    header = png.header
    opaque = header.colour in (_GREY, _RGB, _PALETTE)
    return png.bare and opaque and header.depth <= 8 and max(header.width, header.height) <= side


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """The chunks, to the end or the first one that is cut off.

    Raises:
        UnreadableError: there are more than any encoder writes.
    """
    view, at = memoryview(data), len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        if at + 12 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data) or not kind.isalpha():
            return
        yield _Chunk(kind, view[at + 8 : end - 4], int.from_bytes(view[end - 4 : end], "big"))
        if kind == b"IEND":
            return
        at = end
    raise UnreadableError(f"it has more than {_MOST_CHUNKS} parts")


def _checked(chunk: _Chunk) -> memoryview:
    if not chunk.sound:
        raise UnreadableError(f"damaged: the checksum of its part {chunk.kind.decode()} is wrong")
    return chunk.body


def first_header(data: bytes) -> Header | None:
    """IHDR, if it is where it must be and can be; nothing behind it is looked at."""
    if data[8:16] != b"\0\0\0\x0dIHDR":
        return None
    try:
        return _header(memoryview(data)[16:29])
    except UnreadableError:
        return None


def _header(body: memoryview) -> Header:
    if len(body) != 13:
        raise UnreadableError("damaged: its header has another length")
    width, height, depth, colour, compression, filtering, interlacing = struct.unpack(">IIBBBBB", body)
    if 0 in (width, height) or max(width, height) >= 2**31:
        raise UnreadableError(f"damaged: its header says {width} x {height} pixels")
    if (colour, depth) not in _LAYOUTS or compression or filtering or interlacing > 1:
        raise UnreadableError("damaged: its header says what PNG does not know")
    return Header(width, height, depth, colour, bool(interlacing))


def _palette(body: memoryview) -> bytes:
    if len(body) % 3 or not 3 <= len(body) <= 3 * 256:
        raise UnreadableError(f"damaged: its palette has {len(body)} bytes")
    return bytes(body)


def _transparency(body: bytes, header: Header, palette: bytes) -> bytes:
    """tRNS if it has the length that its picture wants, else nothing, as in libpng."""
    if header.colour == _PALETTE:
        most = min(len(palette) // 3, 1 << header.depth)
        return body if len(body) <= most else b""
    wanted = {_GREY: 2, _RGB: 6}.get(header.colour)
    return body if len(body) == wanted else b""


def _unfiltered(png: Png, mode: str, layout: str) -> Image.Image:
    size = (png.header.width, png.header.height)
    try:
        return Image.frombytes(mode, size, png.stream, "zip", layout, png.header.interlaced)
    except ValueError as error:
        raise UnreadableError("truncated" if "not enough" in str(error) else "damaged") from None


def _whole(image: Image.Image, png: Png) -> bool:
    """Whether the stream holds every scanline: Pillow leaves those black that come after its end.

    Inflating again would tell; where the last line is not black, there is no need to.
    """
    last_line = (0, image.height - 1, image.width, image.height)
    if not png.header.interlaced and image.crop(last_line).getbbox(alpha_only=False):
        return True
    missing, inflating = png.header.scanline_bytes, zlib.decompressobj()
    for start in range(0, len(png.stream), _PIECE):
        missing -= len(inflating.decompress(png.stream[start : start + _PIECE]))
        if missing <= 0:
            return True
    return False


def _coloured(indices: Image.Image, png: Png) -> Image.Image:
    """An indexed picture in its colours; indices beyond the palette are black and opaque, as in libpng."""
    colours = png.palette[: 3 << png.header.depth].ljust(3 * 256, b"\0")
    if not png.transparency:
        indices.putpalette(colours)
        return indices.convert("RGB")
    table = bytearray(4 * 256)
    for channel in range(3):
        table[channel::4] = colours[channel::3]
    table[3::4] = png.transparency.ljust(256, b"\xff")
    indices.putpalette(bytes(table), "RGBA")
    return flatten(indices)


def _grey_on_white(image: Image.Image) -> Image.Image:
    """Of LA, and of RGBA that Pillow makes of grey with opacity in 16 bits."""
    return on_white(image.getchannel(0), image.getchannel("A"))


def _without_key(image: Image.Image, png: Png) -> Image.Image:
    """A picture of which one colour is transparent on white; that is compared in all bits of its samples."""
    header = png.header
    key = struct.unpack(f">{len(png.transparency) // 2}H", png.transparency)
    if header.depth == 16:
        images = [image, _unfiltered(png, image.mode, _LOWER_BYTES[header.colour])]
        values = [*(value >> 8 for value in key), *(value & 255 for value in key)]
    else:
        most = (1 << header.depth) - 1  # what is above it in the key is not looked at
        images = [image]
        values = [(value & most) * 255 // most for value in key]
    tables = [[255 * (level != value) for level in range(256)] for value in values]

    def keyed(upper: Image.Image, *lower: Image.Image) -> Image.Image:
        bands = [band for part in (upper, *lower) for band in part.split()]
        differs = (band.point(table) for band, table in zip(bands, tables, strict=True))
        return on_white(upper, reduce(ImageChops.lighter, differs))

    return by_strips(image.mode, keyed, *images)
