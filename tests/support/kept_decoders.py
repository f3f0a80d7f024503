"""Decoders that stay from application to application: starting theirs takes each longer than most of what is tested with it."""

import asyncio
import atexit
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ClassVar, Self

from services.retrieval.decoding.decoder import Decoder
from services.retrieval.decoding.spares import Spares
from services.retrieval.decoding.wire import Bounds, Kind

# Decoders end with the thread that starts them: this one lives as long as the process.
_STARTER = ThreadPoolExecutor(1, "decoders")


class KeptDecoder(Decoder):
    """A decoder that is not ended but idle, unless it is in the middle of a picture.

    Attributes:
        idle: those with some bounds whom nobody has.
    """

    idle: ClassVar[dict[Bounds, list["KeptDecoder"]]] = {}
    _bounds: Bounds | None = None
    _asked = False

    @classmethod
    async def started(cls, bounds: Bounds) -> Self:
        decoder = await cls.start()
        assert isinstance(decoder, cls)
        await decoder.confine(bounds)
        decoder._bounds = bounds
        return decoder

    async def ask(
        self, picture: bytes, preprocessing: bytes, seconds: float, most: int
    ) -> tuple[Kind, bytearray]:
        self._asked = True
        answer = await super().ask(picture, preprocessing, seconds, most)
        self._asked = False
        return answer

    async def end(self) -> int | None:
        if self._bounds is None or self._asked or not self.alive:
            return await super().end()
        self.rest()
        return None

    def rest(self) -> None:
        """Wait for whoever needs it next."""
        assert self._bounds
        self.idle.setdefault(self._bounds, []).append(self)


class KeptSpares(Spares):
    """None is in reserve; who is idle is taken first."""

    async def start(self) -> None:
        pass

    async def take(self, bounds: Bounds) -> Decoder:
        while idle := KeptDecoder.idle.get(bounds):
            if (decoder := idle.pop()).alive:
                return decoder
            await decoder.end()
        starting = _STARTER.submit(lambda: asyncio.run(KeptDecoder.started(bounds)))
        try:
            return await asyncio.shield(asyncio.wrap_future(starting))
        except asyncio.CancelledError:  # the application ends meanwhile: it is for the next
            starting.add_done_callback(_rest)
            raise


def _rest(starting: "Future[KeptDecoder]") -> None:
    starting.result().rest()


@atexit.register
def _end_all() -> None:
    """End those who are idle."""

    async def end() -> None:
        for decoders in KeptDecoder.idle.values():
            for decoder in decoders:
                await Decoder.end(decoder)

    asyncio.run(end())
