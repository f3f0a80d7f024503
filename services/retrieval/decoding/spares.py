"""Decoders that are ready before anybody needs them, so that one that is ended costs the next picture nothing."""

import asyncio
import logging

from services.retrieval.decoding.decoder import Decoder
from services.retrieval.decoding.wire import Bounds
from taxohash.errors import TaxohashError

_LOG = logging.getLogger(__name__)
_BETWEEN_STARTS = 0.1  # seconds, so that no attack makes us do nothing else
_AFTER_FAILURE = 1.0


class Spares:
    """One decoder in reserve; the next is started when it is taken."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[Decoder] = asyncio.Queue()
        self._wanted = asyncio.Semaphore(0)
        self._starting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the first one, and then keep one in reserve.

        Raises:
            TaxohashError: it does not start.
        """
        self._ready.put_nowait(await Decoder.start())
        self._starting = asyncio.create_task(self._keep_one())

    async def take(self, bounds: Bounds) -> Decoder:
        """A decoder with these bounds, as soon as there is one."""
        while True:
            decoder = await self._ready.get()
            self._wanted.release()
            try:
                await decoder.confine(bounds)
            except OSError:  # it ended while nobody looked
                await decoder.end()
            except asyncio.CancelledError:
                await decoder.end()
                raise
            else:
                return decoder

    async def close(self) -> None:
        """End those in reserve, and start no more."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        while not self._ready.empty():
            await self._ready.get_nowait().end()

    async def _keep_one(self) -> None:
        while True:
            await self._wanted.acquire()
            while True:
                try:
                    self._ready.put_nowait(await Decoder.start())
                    break
                except (TaxohashError, OSError) as error:
                    _LOG.error("no decoder started: %s", error)
                    await asyncio.sleep(_AFTER_FAILURE)
            await asyncio.sleep(_BETWEEN_STARTS)
