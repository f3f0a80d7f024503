"""Like decoders, and the pictures that wait for them."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from services import metrics
from services.retrieval.decoding.decoder import Decoder, DecoderEndedError
from services.retrieval.decoding.spares import Spares
from services.retrieval.decoding.wire import Bounds, Kind
from services.retrieval.errors import RefusedError, busy

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 2  # where a decoder is killed by others


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


class Lane:
    """A fixed number of decoders, and a bounded queue before them, first come first served.

    Args:
        bounds: of each decoder.
        seconds: in which a picture is decoded, or its decoder is ended; in which one that waits gets its turn, or is
            told to come back.
        at_once: how many pictures of each weight are decoded at once; of all together, as many as of the first.
        waiting: how many of each weight wait at most.
    """

    def __init__(
        self,
        bounds: Bounds,
        seconds: float,
        at_once: Mapping[str, int],
        waiting: Mapping[str, int],
        spares: Spares,
    ) -> None:
        self._bounds = bounds
        self._seconds = seconds
        self._at_once = at_once
        self._most_waiting = waiting
        self._spares = spares
        self._waiting: deque[Job] = deque()
        self._under_way = dict.fromkeys(at_once, 0)
        self._changed = asyncio.Condition()
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Have the decoders come, one by one."""
        count = next(iter(self._at_once.values()))
        self._workers = [asyncio.create_task(self._work()) for _ in range(count)]

    async def close(self) -> None:
        """End the decoders; whoever waits is told to come back."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for job in self._waiting:
            job.fail(closing())

    async def read(self, job: Job) -> tuple[Kind, bytearray]:
        """What a decoder says of a picture.

        Raises:
            RefusedError: 429, none had time for it.
            DecoderEndedError: one ended on it.
        """
        if sum(other.weight == job.weight for other in self._waiting) >= self._most_waiting[job.weight]:
            raise busy(f"too many {job.weight} pictures wait to be decoded: try again in a second")
        patience = asyncio.get_running_loop().call_later(self._seconds, self._give_up, job)
        async with self._changed:
            self._waiting.append(job)
            self._changed.notify_all()
        try:
            return await job.answer
        finally:
            patience.cancel()
            if job in self._waiting:
                self._waiting.remove(job)

    def _give_up(self, job: Job) -> None:
        if job in self._waiting:
            self._waiting.remove(job)
            job.fail(busy("no decoder came free in time: try again in a few seconds", 5))

    def _next(self) -> Job | None:
        """The first that may have its turn now."""
        return next(
            (job for job in self._waiting if self._under_way[job.weight] < self._at_once[job.weight]), None
        )

    async def _work(self) -> None:
        """One decoder's place: it takes one picture after the other, and is taken by another decoder when one ends."""
        decoder = await self._spares.take(self._bounds)
        job = None
        try:
            while True:
                async with self._changed:
                    job = await self._changed.wait_for(self._next)
                    assert job is not None
                    self._waiting.remove(job)
                    self._under_way[job.weight] += 1
                try:
                    decoder = await self._decode(job, decoder)
                finally:
                    self._under_way[job.weight] -= 1
                async with self._changed:
                    self._changed.notify_all()
        finally:
            if job is not None:
                job.fail(closing())
            await decoder.end()

    async def _decode(self, job: Job, decoder: Decoder) -> Decoder:
        """Do a job; the decoder that is in place afterwards."""
        if not decoder.alive:
            decoder = await self._replace("killed")
        for attempt in range(_ATTEMPTS):
            if job.answer.cancelled():
                break
            try:
                answer = await decoder.ask(job.picture, job.preprocessing, self._seconds, job.most)
            except DecoderEndedError as ended:
                last = ended.reason != "killed" or attempt == _ATTEMPTS - 1
                if last:
                    job.fail(ended)
                decoder = await self._replace(ended.reason)
                if last:
                    break
            else:
                if not job.answer.done():
                    job.answer.set_result(answer)
                break
        return decoder

    async def _replace(self, reason: str) -> Decoder:
        metrics.DECODERS_REPLACED.labels(reason).inc()
        _LOG.warning("a decoder ended (%s) and is replaced", reason)
        return await self._spares.take(self._bounds)


def closing() -> RefusedError:
    """The server is on its way down."""
    return RefusedError(503, "closing", "server is going down: try again in a moment", {"Retry-After": "1"})
