"""PNG written and read by the definition, a byte at a time (PNG 3rd edition, sections 5 to 13); knows no Pillow."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int64]
SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by colour type
FORMS = [
    (colour, depth)
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items()
    for depth in depths
]
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(kind: bytes, body: bytes = b"", damage: int = 0) -> bytes:
    """A chunk; `damage` changes its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ damage)


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kinds and bodies of a PNG's chunks; none of anything else."""
    found, at = [], len(SIGNATURE)
    while data.startswith(SIGNATURE) and at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        found.append((kind, data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def header(width: int, height: int, colour: int, depth: int, interlaced: bool = False) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def encode(
    samples: Samples,
    colour: int,
    depth: int,
    *,
    interlaced: bool = False,
    filters: Sequence[int] = (0,),
    before: bytes = b"",
    after: bytes = b"",
    pieces: int = 1,
) -> bytes:
    """A PNG of samples int[H, W, samples of a pixel].

    Args:
        filters: types of the scanlines, over and over.
        before, after: chunks around the IDATs, palette and transparency among them.
        pieces: number of IDATs.
    """
    height, width = samples.shape[:2]
    stream = zlib.compress(scanlines(samples, depth, interlaced, filters))
    step = -(-len(stream) // pieces)
    data = [chunk(b"IDAT", stream[start : start + step]) for start in range(0, len(stream), step)]
    start = SIGNATURE + header(width, height, colour, depth, interlaced) + before
    return start + b"".join(data) + after + chunk(b"IEND")


def scanlines(samples: Samples, depth: int, interlaced: bool, filters: Sequence[int]) -> bytes:
    """The filtered scanlines of samples, each after its filter type."""
    distance = max(1, samples.shape[2] * depth // 8)
    out, line = bytearray(), 0
    for part in _parts(samples, interlaced):
        above = bytes(len(_packed(part[0], depth)))
        for row in part:
            raw, kind = _packed(row, depth), filters[line % len(filters)]
            out.append(kind)
            out += bytes((raw[i] - _predicted(kind, raw, above, i, distance)) % 256 for i in range(len(raw)))
            above, line = raw, line + 1
    return bytes(out)


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """uint8[H, W] of a grey PNG, else uint8[H, W, 3]: on white, of 16 bits the upper eight."""
    parts: dict[bytes, bytes] = {}
    at = len(SIGNATURE)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        parts[kind] = parts.get(kind, b"") + data[at + 8 : at + 8 + length]
        at += 12 + length
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    samples = np.full((height, width, SAMPLES[colour]), -1, np.int64)
    _fill(samples, zlib.decompress(parts[b"IDAT"]), depth, bool(interlaced))
    assert (samples >= 0).all()
    image = [
        [_pixel(pixel, colour, depth, parts.get(b"PLTE", b""), parts.get(b"tRNS", b"")) for pixel in row]
        for row in samples.tolist()
    ]
    pixels: Any = np.array(image, np.uint8)
    return pixels[..., 0] if colour in (0, 4) else pixels  # type: ignore[no-any-return]


def _pixel(sample: list[int], colour: int, depth: int, palette: bytes, key: bytes) -> list[int]:
    top, alpha = (1 << depth) - 1, 255
    if colour == 3:
        (index,) = sample
        if key and index < len(key):
            alpha = key[index]
        levels = list(palette[3 * index : 3 * index + 3]) if 3 * index < len(palette) else [0, 0, 0]
    else:
        eight = [level >> 8 if depth == 16 else level * 255 // top for level in sample]
        levels, alphas = (eight[:-1], eight[-1:]) if colour in (4, 6) else (eight, [])
        if key:
            alphas = [0 if sample == [k & top for k in struct.unpack(f">{len(key) // 2}H", key)] else 255]
        alpha = alphas[0] if alphas else 255
    return [round((level * alpha + 255 * (255 - alpha)) / 255) for level in levels]


def _parts(samples: Samples, interlaced: bool) -> Iterator[Samples]:
    """The reduced images of which each is filtered for itself, as views."""
    for left, top, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        part = samples[top::down, left::across]
        if part.size:
            yield part


def _fill(samples: Samples, lines: bytes, depth: int, interlaced: bool) -> None:
    count = samples.shape[2]
    distance, at = max(1, count * depth // 8), 0
    for part in _parts(samples, interlaced):
        length = -(-part.shape[1] * count * depth // 8)
        above = bytes(length)
        for row in part:
            kind, raw = lines[at], bytearray(lines[at + 1 : at + 1 + length])
            for i in range(length):
                raw[i] = (raw[i] + _predicted(kind, raw, above, i, distance)) % 256
            row[:] = _unpacked(bytes(raw), depth, part.shape[1] * count).reshape(row.shape)
            above, at = bytes(raw), at + 1 + length
    assert at == len(lines)


def _predicted(kind: int, raw: bytes | bytearray, above: bytes, i: int, distance: int) -> int:
    left = raw[i - distance] if i >= distance else 0
    up, corner = above[i], above[i - distance] if i >= distance else 0
    estimate = left + up - corner
    nearest = min((left, up, corner), key=lambda value: abs(estimate - value))
    return (0, left, up, (left + up) // 2, nearest)[kind]


def _packed(row: Samples, depth: int) -> bytes:
    bits = "".join(f"{level:0{depth}b}" for level in row.ravel().tolist())
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _unpacked(raw: bytes, depth: int, count: int) -> Samples:
    bits = "".join(f"{byte:08b}" for byte in raw)
    return np.array([int(bits[depth * i : depth * (i + 1)], 2) for i in range(count)], np.int64)
