"""Like decoders, and the pictures that wait for them."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping

from services.retrieval.decoding.place import Job, Place
from services.retrieval.decoding.wire import Kind
from services.web.refused import RefusedError, busy

_LOG = logging.getLogger(__name__)


class Lane:
    """A fixed number of places with decoders, and a bounded queue before them, first come first served.

    Args:
        place: makes an empty place.
        seconds: in which a picture that waits gets its turn, or is told to come back.
        at_once: how many pictures of each weight are decoded at once; there are as many places as for the first.
        waiting: how many of each weight wait at most.
    """

    def __init__(
        self,
        place: Callable[[], Place],
        seconds: float,
        at_once: Mapping[str, int],
        waiting: Mapping[str, int],
    ) -> None:
        self._place = place
        self._seconds = seconds
        self._at_once = at_once
        self._most_waiting = waiting
        self._waiting: deque[Job] = deque()
        self._under_way = dict.fromkeys(at_once, 0)
        self._changed = asyncio.Condition()
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Have the decoders come, one by one."""
        places = next(iter(self._at_once.values()))
        self._workers = [asyncio.create_task(self._work()) for _ in range(places)]

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
        there = self._under_way[job.weight] + sum(other.weight == job.weight for other in self._waiting)
        if there >= self._at_once[job.weight] + self._most_waiting[job.weight]:
            raise busy(f"too many {job.weight} pictures wait to be decoded: try again in a second")
        patience = asyncio.get_running_loop().call_later(self._seconds, self._give_up, job)
        try:
            async with self._changed:
                self._waiting.append(job)
                self._changed.notify_all()
            return await job.answer
        finally:
            patience.cancel()
            job.answer.cancel()
            if job in self._waiting:
                self._waiting.remove(job)

    def _give_up(self, job: Job) -> None:
        if job in self._waiting:
            self._waiting.remove(job)
            job.fail(busy("no decoder came free in time: try again in a few seconds", 5))

    async def _work(self) -> None:
        """What goes on in one place, until it is cancelled."""
        place = self._place()
        try:
            while True:
                await place.fill()
                job = await self._begin()
                try:
                    await place.decode(job)
                except Exception as error:  # of ours, and no reason to lose the place
                    _LOG.exception("a picture was not decoded")
                    job.fail(error)
                finally:
                    job.fail(closing())
                    await self._finish(job)
        finally:
            await place.close()

    async def _begin(self) -> Job:
        """The first that may have its turn, as soon as there is one."""
        async with self._changed:
            job = await self._changed.wait_for(self._first)
            assert job is not None
            self._waiting.remove(job)
            self._under_way[job.weight] += 1
            return job

    def _first(self) -> Job | None:
        free = (job for job in self._waiting if self._under_way[job.weight] < self._at_once[job.weight])
        return next(free, None)

    async def _finish(self, job: Job) -> None:
        self._under_way[job.weight] -= 1
        async with self._changed:
            self._changed.notify_all()


def closing() -> RefusedError:
    """The server is on its way down."""
    return RefusedError(503, "closing", "server is going down: try again in a moment", {"Retry-After": "1"})
