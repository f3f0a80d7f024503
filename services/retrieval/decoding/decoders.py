"""What a picture will cost decides who decodes it, or that nobody does.

Small pictures find a decoder at once, whatever else is sent: large ones never hold all the ordinary decoders, and
heavy ones, bombs among them, have one decoder for them all, which stands back for everybody and is ended in time.
"""

import asyncio
import json
import logging
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from services import metrics
from services.retrieval.decoding.decoder import DecoderEndedError
from services.retrieval.decoding.lane import Lane, closing
from services.retrieval.decoding.place import Job, Place
from services.retrieval.decoding.spares import Spares
from services.retrieval.decoding.wire import HASH_BYTES, THUMBNAIL, Bounds, Kind
from services.retrieval.settings import Limits
from services.settings import MIB
from services.web.refused import RefusedError
from taxohash.images import MOST_SCANS, Cost, Pixels, Preprocessing, cost, most_memory
from taxohash.images.thumbnails import MOST_BYTES

_LOG = logging.getLogger(__name__)
SMALL, LARGE, HEAVY = "small", "large", "heavy"
SMALL_SECONDS, LARGE_SECONDS = 0.04, 0.2  # of CPU that a picture is expected to take at most
ORDINARY_MEMORY = 96 * MIB
_ORDINARY_SECONDS = 1.0  # of CPU that it does take at most
_STANDS_BACK = 19  # niceness of the heavy lane


def heavy_memory(limits: Limits) -> int:
    """Bytes that decoding one picture takes at most, whatever its shape, mode and format."""
    return max(ORDINARY_MEMORY, most_memory(limits.pixels, limits.body_bytes))


class Decoded(NamedTuple):
    """A picture.

    Attributes:
        pixels: the input of a network, uint8[channels, size, size].
        hash: of all its pixels, see `taxohash.images.pixel_hash`.
    """

    pixels: Pixels
    hash: str


class Decoders:
    """Processes that decode pictures: `limits.decoders` for ordinary ones, one for heavy ones, one in reserve."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._most_memory = heavy_memory(limits)
        seconds = limits.decode_seconds
        self._spares = Spares()
        ordinary = Bounds(ORDINARY_MEMORY, min(_ORDINARY_SECONDS, seconds), 0, limits.pixels)
        heavy = Bounds(self._most_memory, seconds, _STANDS_BACK, limits.pixels)
        ordinary_lane = Lane(
            lambda: Place(ordinary, seconds, self._spares),
            seconds,
            at_once={SMALL: limits.decoders, LARGE: max(1, limits.decoders - 1)},
            waiting={SMALL: 32 * limits.decoders, LARGE: 4 * limits.decoders},
        )
        heavy_lane = Lane(
            lambda: Place(heavy, seconds, self._spares), seconds, at_once={HEAVY: 1}, waiting={HEAVY: 2}
        )
        self._lanes = {SMALL: ordinary_lane, LARGE: ordinary_lane, HEAVY: heavy_lane}
        self._open = False

    async def start(self) -> None:
        """Start the processes, and return when the first is ready.

        Raises:
            TaxohashError: it does not start.
        """
        await self._spares.start()
        for lane in self._each_lane():
            lane.start()
        self._open = True

    async def read(self, picture: bytes, preprocessing: Preprocessing) -> Decoded:
        """What a search needs of a picture, from its bytes.

        Raises:
            RefusedError: see `read_both`.
        """
        decoded, _ = _parted(await self._read(picture, preprocessing, False), preprocessing)
        return decoded

    async def read_both(self, picture: bytes, preprocessing: Preprocessing) -> tuple[Decoded, bytes]:
        """What `read` gives, and the thumbnail of the picture, which may be the picture itself.

        Raises:
            RefusedError: 422 `image`, it is none that we read; `time` or `memory`, it takes too much; 429, too many
                are to be decoded; 503, these decoders are closed.
        """
        decoded, drawn = _parted(await self._read(picture, preprocessing, True), preprocessing)
        return decoded, drawn or picture

    async def close(self) -> None:
        """End all processes; none is left when this returns."""
        self._open = False
        await asyncio.gather(*(lane.close() for lane in self._each_lane()))
        await self._spares.close()

    async def _read(self, picture: bytes, preprocessing: Preprocessing, wants_thumbnail: bool) -> bytearray:
        """Bytes of the pixels, and of the thumbnail behind them, if one is wanted and the picture is not its own."""
        if not self._open:
            raise closing()
        expected = cost(picture)
        self._refuse_beyond_limits(expected, len(picture))
        weight = self._weight(expected)
        most = int(np.prod(preprocessing.shape)) + HASH_BYTES + wants_thumbnail * MOST_BYTES
        job = Job(picture, _as_json(preprocessing, wants_thumbnail), most, weight)
        try:
            with metrics.DECODE_SECONDS.labels(weight).time():
                kind, body = await self._lanes[weight].read(job)
        except DecoderEndedError as ended:
            raise self._refused_at(len(picture), ended.reason) from None
        match kind:
            case Kind.PIXELS:
                return body
            case Kind.REFUSED:
                raise RefusedError(422, "image", body.decode(errors="replace"))
            case Kind.MEMORY:
                raise self._refused_at(len(picture), "memory")
            case _:
                _LOG.error("picture of %d bytes: %s", len(picture), body.decode(errors="replace"))
                raise self._refused_at(len(picture), "crashed")

    def _each_lane(self) -> list[Lane]:
        return list(dict.fromkeys(self._lanes.values()))

    def _weight(self, expected: Cost) -> str:
        if expected.seconds > LARGE_SECONDS or expected.memory > ORDINARY_MEMORY:
            return HEAVY
        return LARGE if expected.seconds > SMALL_SECONDS else SMALL

    def _refuse_beyond_limits(self, expected: Cost, size: int) -> None:
        limits, pixels = self._limits, f"{expected.width} x {expected.height} pixels"
        if max(expected.width, expected.height) > limits.side:
            sentence = f"image has {pixels}, a side of more than {limits.side} (TAXOHASH_MAX_SIDE): send a smaller one"
            raise RefusedError(422, "image", sentence)
        if expected.width * expected.height > limits.pixels:
            sentence = (
                f"image has {pixels}, more than {limits.pixels} (TAXOHASH_MAX_PIXELS): send a smaller one"
            )
            raise RefusedError(422, "image", sentence)
        if expected.scans > MOST_SCANS:
            sentence = (
                f"image of {size} bytes has more than {MOST_SCANS} scans: save it with a common program"
            )
            raise RefusedError(422, "time", sentence)
        if expected.memory > self._most_memory:
            raise self._refused_at(size, "memory")

    def _refused_at(self, size: int, reason: str) -> RefusedError:
        """The refusal of a picture on which a decoder ended or gave up."""
        match reason:
            case "time":
                took = f"took longer than {self._limits.decode_seconds:g} seconds to decode (TAXOHASH_DECODE_SECONDS)"
                return RefusedError(422, "time", f"image of {size} bytes {took}: send a smaller one")
            case "memory" | "killed":
                needs = f"needs more than {self._most_memory // MIB} MiB to decode"
                return RefusedError(422, "memory", f"image of {size} bytes {needs}: send a smaller one")
            case _:
                return RefusedError(
                    422, "image", f"image of {size} bytes cannot be decoded (damaged): send another"
                )


@lru_cache(16)
def _as_json(preprocessing: Preprocessing, wants_thumbnail: bool) -> bytes:
    return json.dumps(preprocessing.as_dict() | ({THUMBNAIL: True} if wants_thumbnail else {})).encode()


def _parted(body: bytearray, preprocessing: Preprocessing) -> tuple[Decoded, bytes]:
    """Pixels with their hash, and what is behind them."""
    size = int(np.prod(preprocessing.shape))
    end = size + HASH_BYTES
    pixels = np.frombuffer(body, np.uint8, size).reshape(preprocessing.shape)
    return Decoded(pixels, body[size:end].hex()), bytes(body[end:])
