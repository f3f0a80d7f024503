"""Decoders that stay from application to application: starting theirs takes each longer than most of what is tested with it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from services.retrieval.decoding.decoder import Decoder
from services.retrieval.decoding.spares import Spares
from services.retrieval.decoding.wire import Bounds, Kind

# Decoders end with the thread that starts them: this one lives as long as the process.
_STARTER = ThreadPoolExecutor(1, "decoders")


class KeptDecoder(Decoder):
    """A decoder that is not ended but idle where its last picture was answered.

    Attributes:
        idle: those with some bounds whom nobody has.
    """

    idle: ClassVar[dict[Bounds, list["KeptDecoder"]]] = {}
    _bounds: Bounds | None = None
    _asked = False

    @classmethod
    async def start(cls) -> "KeptDecoder":
        start: Any = super().start
        started: KeptDecoder = await asyncio.get_running_loop().run_in_executor(
            _STARTER, lambda: asyncio.run(start())
        )
        return started

    async def confine(self, bounds: Bounds) -> None:
        await super().confine(bounds)
        self._bounds = bounds

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
        self.idle.setdefault(self._bounds, []).append(self)
        return None


class KeptSpares(Spares):
    """None is in reserve; who is idle is taken first."""

    async def start(self) -> None:
        pass

    async def take(self, bounds: Bounds) -> Decoder:
        while idle := KeptDecoder.idle.get(bounds):
            if (decoder := idle.pop()).alive:
                return decoder
        decoder = await KeptDecoder.start()
        await decoder.confine(bounds)
        return decoder


def end_kept() -> None:
    """End those who are idle."""

    async def end() -> None:
        for decoders in KeptDecoder.idle.values():
            while decoders:
                await Decoder.end(decoders.pop())

    asyncio.run(end())
