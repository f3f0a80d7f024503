"""Stand-in until the processes are here."""

import asyncio

from services.retrieval.errors import RefusedError
from services.retrieval.settings import Limits
from taxohash.errors import TaxohashError
from taxohash.images import Pixels, Preprocessing, read_pixels


class Decoders:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def start(self) -> None: ...

    async def read(self, picture: bytes, preprocessing: Preprocessing) -> Pixels:
        try:
            return await asyncio.to_thread(read_pixels, picture, preprocessing, self._limits.pixels)
        except TaxohashError as error:
            raise RefusedError(422, "image", str(error)) from None

    async def close(self) -> None: ...
