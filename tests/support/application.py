"""The service's application driven in this process, over a store in memory and without a server."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import httpx

from services.codestore import CodeStore, GenerationRef, Item, Snapshot, StoreUnavailableError
from services.codestore.follower.follower import Follower
from services.codestore.hashers import Hashers
from services.retrieval.app import application
from services.retrieval.engine import Engine
from services.retrieval.following import Followed
from services.retrieval.late_store import LateStore
from services.retrieval.service import Service
from services.retrieval.settings import Settings
from taxohash.generation.hasher import Hasher
from taxohash.taxonomy import Taxonomy
from tests.support.generations import TAXONOMY
from tests.support.kept_decoders import KeptSpares

_LOADED_SECONDS = 30.0


def ref_of(hasher: Hasher) -> GenerationRef:
    generation = hasher.generation
    return GenerationRef(generation.id, generation.bits, generation.taxonomy_sha256)


def filled(
    store: CodeStore,
    snapshot: Snapshot,
    thumbnails: Sequence[str] = (),
    collection: str = "default",
    taxonomy: Taxonomy = TAXONOMY,
    tags: Sequence[tuple[str, ...]] = (),
) -> None:
    """Publish a snapshot's items, in one segment: ties fall in their order."""
    generation = snapshot.generation
    digests = thumbnails or [""] * len(snapshot.ids)
    tagged = tags or [()] * len(snapshot.ids)
    items = [
        Item(item_id, tuple(snapshot.labels[row].tolist()), thumbnail=digest, tags=own)
        for row, (item_id, digest, own) in enumerate(zip(snapshot.ids.tolist(), digests, tagged, strict=True))
    ]
    if not store.exists(collection):
        store.create(collection, taxonomy, segments=1)
    store.begin(collection, generation)
    if items:
        store.fill(collection, generation.id, items, snapshot.codes)
    store.seal(collection, generation.id, len(items))
    store.publish(collection, generation.id)


def engine_of(store: CodeStore, folder: Path, collection: str = "default") -> Engine:
    """The published generation, loaded from a store; its hasher lies in the folder."""
    followed = Followed(LateStore(lambda: store), collection)
    pointer = followed.pointer()
    assert pointer.generation
    served = followed.open(Hashers(folder, None, folder), pointer.generation)
    with Follower(followed.source(pointer), served.replica) as follower:
        assert follower.wait_ready(_LOADED_SECONDS), follower.error
    return served.engine


class NoStore:
    """A code store that cannot be reached."""

    def __getattr__(self, name: str) -> Any:
        raise StoreUnavailableError("code store redis://nowhere does not answer as it should: start it")

    def close(self) -> None:
        pass


class Client:
    """Sends requests to the application, one after the other; the application lives until `close`.

    Attributes:
        left: those that are not closed, whose threads would keep the process from ending.
    """

    left: ClassVar[set["Client"]] = set()

    def __init__(
        self,
        settings: Settings,
        connect: Callable[[float], CodeStore],
        address: str = "127.0.0.1",
        prepare: Callable[[Service], None] = lambda service: None,
        loaded: bool = True,
    ) -> None:
        """Start the application.

        Args:
            connect: gives the store that is followed and asked.
            address: at which it is asked.
            prepare: called before it starts.
            loaded: whether to wait until a generation is served.
        """
        self.service = Service(settings, connect)
        self.service.decoders._spares = KeptSpares()
        prepare(self.service)
        guard: Any = application(self.service)

        async def asked_at(scope: Any, receive: Any, send: Any) -> None:
            await guard({**scope, "server": (address, 3000)}, receive, send)

        self._transport = httpx.ASGITransport(asked_at, raise_app_exceptions=False)
        self._runner = asyncio.Runner()
        self._runner.run(self.service.start())
        self.left.add(self)
        deadline = time.monotonic() + _LOADED_SECONDS
        while loaded and self.service.served is None:
            assert time.monotonic() < deadline, self.service.trouble
            time.sleep(0.01)

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://localhost") as client:
                return await client.request(method, path, **options)

        return self._runner.run(ask())

    def search(self, picture: bytes, **fields: str) -> httpx.Response:
        return self("POST", "/v1/search", files={"image": ("picture", picture)}, data=fields)

    def ask(self, **fields: Any) -> httpx.Response:
        """A search as JSON."""
        headers = {"Content-Type": "application/json"}
        return self("POST", "/v1/search", content=json.dumps(fields), headers=headers)

    def close(self) -> None:
        self.left.discard(self)
        self._runner.run(self.service.stop())
        self._runner.close()


def settings_of(hasher: Hasher, **more: Any) -> Settings:
    """Settings with which the hasher's generation can be served."""
    return replace(Settings(generation=str(hasher.folder)), **more)
