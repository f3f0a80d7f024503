"""The service's application driven in this process, without a server and without a store."""

import asyncio
from typing import Any

import httpx

from services.codestore import Item, StoreUnavailableError
from services.retrieval.app import application
from services.retrieval.loaded import Holder, Loaded


class NoStore:
    """A code store that cannot be reached."""

    def item(self, collection: str, item_id: str, generation_id: str) -> Item | None:
        raise StoreUnavailableError("code store redis://nowhere does not answer as it should: start it")

    def close(self) -> None:
        pass


class Client:
    """Sends requests to the application, one after the other."""

    def __init__(self, loaded: Loaded | None) -> None:
        self.loaded = loaded
        self._transport = httpx.ASGITransport(application(Holder(loaded)), raise_app_exceptions=False)
        self._runner = asyncio.Runner()

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://test") as client:
                return await client.request(method, path, **options)

        return self._runner.run(ask())

    def search(self, picture: bytes, **fields: str) -> httpx.Response:
        return self("POST", "/v1/search", files={"image": ("picture", picture)}, data=fields)

    def close(self) -> None:
        self._runner.close()
