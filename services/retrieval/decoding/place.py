"""A place in a lane: there is always a decoder in it, or one on its way."""

import asyncio
import logging
from dataclasses import dataclass, field

from services import metrics
from services.retrieval.decoding.decoder import Decoder, DecoderEndedError
from services.retrieval.decoding.spares import Spares
from services.retrieval.decoding.wire import Bounds, Kind

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 2  # at one picture, where its decoder is killed by others


@dataclass(eq=False)
class Job:
    """One picture to decode.

    Attributes:
        weight: small, large or heavy.
        preprocessing: as JSON.
        most: bytes of its pixels.
        answer: what a decoder said; cancelled where nobody waits any more.
    """

    picture: bytes
    preprocessing: bytes
    most: int
    weight: str
    answer: "asyncio.Future[tuple[Kind, bytearray]]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Place:
    """Where one decoder works, and another takes over when it ends.

    Args:
        bounds: of the decoders.
        seconds: in which a picture is decoded, or its decoder is ended.
    """

    def __init__(self, bounds: Bounds, seconds: float, spares: Spares) -> None:
        self._bounds = bounds
        self._seconds = seconds
        self._spares = spares
        self._decoder: Decoder | None = None

    async def fill(self) -> Decoder:
        """The decoder in this place, as soon as there is one."""
        if self._decoder is not None and not self._decoder.alive:
            await self._vacate("killed")
        if self._decoder is None:
            self._decoder = await self._spares.take(self._bounds)
        return self._decoder

    async def decode(self, job: Job) -> None:
        """Answer a job; one that nobody waits for any more is still done, as its decoder cannot be told."""
        for attempt in range(1, _ATTEMPTS + 1):
            decoder = await self.fill()
            if job.answer.done():
                return
            try:
                answer = await decoder.ask(job.picture, job.preprocessing, self._seconds, job.most)
            except DecoderEndedError as ended:
                if ended.reason != "killed" or attempt == _ATTEMPTS:
                    job.fail(ended)
                await self._vacate(ended.reason)
                if job.answer.done():
                    return
            else:
                if not job.answer.done():
                    job.answer.set_result(answer)
                return

    async def close(self) -> None:
        """End whoever is there."""
        if self._decoder is not None:
            await self._decoder.end()
            self._decoder = None

    async def _vacate(self, reason: str) -> None:
        await self.close()
        metrics.DECODERS_REPLACED.labels(reason).inc()
        _LOG.warning("a decoder ended (%s) and is replaced", reason)
