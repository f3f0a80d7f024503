"""The client for programs with an event loop."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from taxohash.client import answers, calls
from taxohash.client.batches import Batches, Uploaded
from taxohash.client.exchange import (
    DEADLINE,
    LATE,
    Exchange,
    Failed,
    Outcome,
    Received,
    Send,
    Steps,
    failure,
    unsendable,
)
from taxohash.client.journal import Journal
from taxohash.client.queries import Picture, Query, Wishes, query_of
from taxohash.client.retries import Retries
from taxohash.client.splitting import split
from taxohash.client.uploads import Loaded, Upload, listed, uploads_of
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import bars

T = TypeVar("T")


class AsyncClient:
    """`Client` for programs with an event loop: the same methods, which are awaited."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        deadline: float = DEADLINE,
        retries: Retries | None = None,
        read_your_writes: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            url: of the service, such as http://127.0.0.1:3000.
            key: API key, if the service wants one.
            deadline: seconds of each call, all its tries and pauses together.
            retries: how often a call is tried; see Retries.
            read_your_writes: searches and gets wait until they have seen what this client has written.
            transport: of httpx, such as one through a proxy.

        Raises:
            TaxohashError: no address of a service, a key that cannot be one, or a deadline that is none.
        """
        self._exchange = Exchange(url, key, deadline, retries or Retries(), read_your_writes)
        self._http = httpx.AsyncClient(transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @property
    def token(self) -> str | None:
        """The newest of this client's writes: for another client's reads that must see them."""
        return self._exchange.tokens.newest

    def forget(self) -> None:
        """Forget what was written: reads do not wait for it any more."""
        self._exchange.tokens.forget()

    async def search(
        self,
        picture: Picture | None = None,
        *,
        id: str | None = None,
        code: str | None = None,
        **wishes: Unpack[Wishes],
    ) -> answers.SearchAnswer:
        """The nearest items of a picture (a path or bytes), of an item by its id, or of a code in hexadecimal; see Wishes."""
        query = query_of(picture, id, code)
        return await self._run(self._exchange.read(calls.search(query, self._exchange.seeing(wishes))))

    async def search_many(
        self, queries: Iterable[Query], **wishes: Unpack[Wishes]
    ) -> list[answers.SearchAnswer | answers.Refusal]:
        """The nearest items of each of several pictures, `ItemId`s and `Code`s, or why there is no answer to it, in their order.

        They are sent in requests of up to 64, each of which is answered by one generation.
        """
        found: list[answers.SearchAnswer | answers.Refusal] = []
        for some in split(queries):
            found += await self._run(self._exchange.search_several(some, wishes))
        return found

    async def encode(
        self, picture: Picture, *, weights: bool = False, generation: str | None = None
    ) -> answers.Encoded:
        """The code of a picture, and as asked what each of its bits weighs."""
        return await self._run(self._exchange.read(calls.encode(picture, weights, generation)))

    async def similar(self, id: str, **wishes: Unpack[Wishes]) -> answers.SearchAnswer:
        """What is nearest to an item by its stored code, itself left out."""
        return await self._run(self._exchange.read(calls.similar(id, self._exchange.seeing(wishes))))

    async def put(
        self,
        id: str,
        picture: Picture | None = None,
        *,
        code: str | None = None,
        generation: str | None = None,
        labels: Iterable[str] = (),
        tags: Iterable[str] = (),
        name: str | None = None,
    ) -> answers.PutAnswer:
        """Add an item, or replace the one of this id: with a picture, or with a code and the generation that made it.

        Args:
            name: of this write: sent again within a week, it is answered as the first time and done once. One is made
                where none is given.
        """
        said = listed("labels", labels), listed("tags", tags)
        item = Upload(id, picture, code, generation, *said).load()
        return await self._run(self._exchange.write(calls.put(item, name)))

    async def put_many(
        self,
        items: Iterable[Upload] | str | Path,
        *,
        journal: str | Path | None = None,
        at_once: int = 2,
        progress: bool = False,
    ) -> Uploaded:
        """Put many items, in requests of up to 64, or the pictures below a folder.

        Args:
            items: or a folder; see `of_folder`.
            journal: a file to which goes what was acknowledged: an upload that was interrupted goes on where it stopped,
                and an item that changed since is put again.
            at_once: requests under way.
            progress: show it on standard error.

        Raises:
            TaxohashError: as every method, or an id is given twice; what was acknowledged stays put, and is in the journal.
        """
        if at_once < 1:
            raise TaxohashError(f"at_once is {at_once}: give a number of at least 1")
        given, total = uploads_of(items)
        book = Journal(journal, self._exchange.url) if journal is not None else None
        with book or nullcontext(), bars(progress) as shown:
            batches, task = (
                Batches(given, book, self._exchange.url),
                shown.add_task("put", total=total, note=""),
            )
            async with aclosing(self._sent(batches, at_once)) as sent:
                async for _ in sent:
                    shown.update(task, completed=batches.done)
        return batches.uploaded

    async def get(self, id: str, *, token: str | None = None) -> answers.ItemAnswer:
        """An item as the generation that is served has it."""
        return await self._run(
            self._exchange.read(calls.get(id, self._exchange.seeing({"token": token})["token"]))
        )

    async def edit(
        self,
        id: str,
        *,
        labels: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
        name: str | None = None,
    ) -> answers.EditAnswer:
        """Change the labels of an item, its tags, or both; its picture and its codes stay. `name` as of `put`."""
        return await self._run(self._exchange.write(calls.edit(id, labels, tags, name)))

    async def delete(self, id: str, *, name: str | None = None) -> answers.DeleteAnswer:
        """Delete an item, its codes and its pictures. `name` as of `put`."""
        return await self._run(self._exchange.write(calls.delete(id, name)))

    async def image(self, id: str) -> bytes:
        """The original of an item that was put with its picture, byte by byte."""
        return await self._run(self._exchange.read(calls.picture_of(id, "image")))

    async def thumbnail(self, id: str) -> bytes:
        """A small picture of an item."""
        return await self._run(self._exchange.read(calls.picture_of(id, "thumbnail")))

    async def taxonomy(self) -> answers.TaxonomyAnswer:
        """The label tree, with the number of items below each node."""
        return await self._run(self._exchange.read(calls.TAXONOMY))

    async def generation(self) -> answers.GenerationAnswer:
        """What is served."""
        return await self._run(self._exchange.read(calls.GENERATION))

    async def generations(self) -> answers.GenerationsAnswer:
        """The generations of the collection."""
        return await self._run(self._exchange.read(calls.GENERATIONS))

    async def lineage(self, generation: str, *, most: int = 1) -> list[dict[str, Any]]:
        """Where a generation comes from, as GET /v1/lineage tells it; of `most` generations, each after the one that replaced it."""
        return await self._run(self._exchange.read(calls.lineage(generation, most)))

    async def stats(self) -> answers.StatsAnswer:
        """What is served, in numbers."""
        return await self._run(self._exchange.read(calls.STATS))

    async def _sent(self, batches: Batches, at_once: int) -> AsyncGenerator[None, None]:
        """As that of `Client`; requests under way at an error are given up, and their items are not in the journal."""
        under_way: dict[asyncio.Task[list[answers.BatchResult]], list[Loaded]] = {}
        try:
            for batch in batches:
                under_way[asyncio.create_task(self._run(self._exchange.write_several(batch)))] = batch
                while len(under_way) >= at_once:
                    await _take(batches, under_way)
                    yield
            while under_way:
                await _take(batches, under_way)
                yield
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
            for task, batch in under_way.items():
                if not task.cancelled() and task.exception() is None:
                    with suppress(TaxohashError):  # the first error is the one that is told
                        batches.take(batch, task.result())
        yield

    async def _run(self, steps: Steps[T]) -> T:
        """What comes of the steps of a call."""
        outcome: Outcome | None = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            if isinstance(step, Send):
                outcome = await self._send(step)
            else:
                outcome = None
                await asyncio.sleep(step.seconds)

    async def _send(self, step: Send) -> Received | Failed:
        url = self._exchange.address.rstrip("/") + step.call.path
        try:
            async with asyncio.timeout(step.seconds):
                response = await self._http.request(step.call.method, url, **step.options)
        except TimeoutError:
            return LATE
        except httpx.HTTPError as error:
            return failure(error)
        except UnicodeEncodeError as error:
            raise unsendable(step.call, error) from None
        return Received(response.status_code, response.headers, response.content)


async def _take(
    batches: Batches, under_way: dict[asyncio.Task[list[answers.BatchResult]], list[Loaded]]
) -> None:
    """Wait for one of the batches, and take what became of it."""
    done = next(iter((await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED))[0]))
    batch = under_way.pop(done)
    batches.take(batch, done.result())
