"""The client that waits for each answer."""

from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from threading import Event
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


class Client:
    """A service over HTTP; several threads may use one client. As a context manager it closes its connections at the end.

    Every method raises a TaxohashError of one line: RequestRefusedError where the service refuses (BusyError where it cannot
    take it now), NoAnswerError where no answer came in time, MalformedAnswerError where it is no answer of such a service.
    Reads, and writes, which all have a name by which the service knows them again, are sent again after 429, 503 and
    connections that failed.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        deadline: float = DEADLINE,
        retries: Retries | None = None,
        read_your_writes: bool = True,
        transport: httpx.BaseTransport | None = None,
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
        self._http = httpx.Client(transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def token(self) -> str | None:
        """The newest of this client's writes: for another client's reads that must see them."""
        return self._exchange.tokens.newest

    def forget(self) -> None:
        """Forget what was written: reads do not wait for it any more."""
        self._exchange.tokens.forget()

    def search(
        self,
        picture: Picture | None = None,
        *,
        id: str | None = None,
        code: str | None = None,
        **wishes: Unpack[Wishes],
    ) -> answers.SearchAnswer:
        """The nearest items of a picture (a path or bytes), of an item by its id, or of a code in hexadecimal; see Wishes."""
        query = query_of(picture, id, code)
        return self._run(self._exchange.read(calls.search(query, self._exchange.seeing(wishes))))

    def search_many(
        self, queries: Iterable[Query], **wishes: Unpack[Wishes]
    ) -> list[answers.SearchAnswer | answers.Refusal]:
        """The nearest items of each of several pictures, `ItemId`s and `Code`s, or why there is no answer to it, in their order.

        They are sent in requests of up to 64, each of which is answered by one generation.
        """
        found: list[answers.SearchAnswer | answers.Refusal] = []
        for some in split(queries):
            found += self._run(self._exchange.search_several(some, wishes))
        return found

    def encode(
        self, picture: Picture, *, weights: bool = False, generation: str | None = None
    ) -> answers.Encoded:
        """The code of a picture, and as asked what each of its bits weighs."""
        return self._run(self._exchange.read(calls.encode(picture, weights, generation)))

    def similar(self, id: str, **wishes: Unpack[Wishes]) -> answers.SearchAnswer:
        """What is nearest to an item by its stored code, itself left out."""
        return self._run(self._exchange.read(calls.similar(id, self._exchange.seeing(wishes))))

    def put(
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
        return self._run(self._exchange.write(calls.put(item, name)))

    def put_many(
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
            with closing(self._sent(batches, at_once)) as sent:
                for _ in sent:
                    shown.update(task, completed=batches.done)
        return batches.uploaded

    def get(self, id: str, *, token: str | None = None) -> answers.ItemAnswer:
        """An item as the generation that is served has it."""
        return self._run(self._exchange.read(calls.get(id, self._exchange.seeing({"token": token})["token"])))

    def edit(
        self,
        id: str,
        *,
        labels: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
        name: str | None = None,
    ) -> answers.EditAnswer:
        """Change the labels of an item, its tags, or both; its picture and its codes stay. `name` as of `put`."""
        return self._run(self._exchange.write(calls.edit(id, labels, tags, name)))

    def delete(self, id: str, *, name: str | None = None) -> answers.DeleteAnswer:
        """Delete an item, its codes and its pictures. `name` as of `put`."""
        return self._run(self._exchange.write(calls.delete(id, name)))

    def image(self, id: str) -> bytes:
        """The original of an item that was put with its picture, byte by byte."""
        return self._run(self._exchange.read(calls.picture_of(id, "image")))

    def thumbnail(self, id: str) -> bytes:
        """A small picture of an item."""
        return self._run(self._exchange.read(calls.picture_of(id, "thumbnail")))

    def taxonomy(self) -> answers.TaxonomyAnswer:
        """The label tree, with the number of items below each node."""
        return self._run(self._exchange.read(calls.TAXONOMY))

    def generation(self) -> answers.GenerationAnswer:
        """What is served."""
        return self._run(self._exchange.read(calls.GENERATION))

    def generations(self) -> answers.GenerationsAnswer:
        """The generations of the collection."""
        return self._run(self._exchange.read(calls.GENERATIONS))

    def lineage(self, generation: str, *, most: int = 1) -> list[dict[str, Any]]:
        """Where a generation comes from, as GET /v1/lineage tells it; of `most` generations, each after the one that replaced it."""
        return self._run(self._exchange.read(calls.lineage(generation, most)))

    def stats(self) -> answers.StatsAnswer:
        """What is served, in numbers."""
        return self._run(self._exchange.read(calls.STATS))

    def _sent(self, batches: Batches, at_once: int) -> Generator[None, None, None]:
        """Send batches, so many at once; something is yielded as each is known. At an error, Ctrl-C among them, no more are
        begun, and what those under way came to is taken."""
        under_way: dict[Future[list[answers.BatchResult]], list[Loaded]] = {}
        stopped = Event()
        with ThreadPoolExecutor(at_once, "taxohash-put") as threads:
            try:
                for batch in batches:
                    steps = self._exchange.write_several(batch)
                    under_way[threads.submit(self._run, steps, stopped)] = batch
                    while len(under_way) >= at_once:
                        _take(batches, under_way)
                        yield
                while under_way:
                    _take(batches, under_way)
                    yield
            except BaseException:
                stopped.set()
                wait(under_way)
                for future, batch in under_way.items():
                    with suppress(TaxohashError):  # the first error is the one that is told
                        batches.take(batch, future.result())
                raise
        yield

    def _run(self, steps: Steps[T], stopped: Event | None = None) -> T:
        """What comes of the steps of a call."""
        pausing = stopped or Event()
        outcome: Outcome | None = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            if isinstance(step, Send):
                outcome = self._send(step)
            else:
                outcome = None
                if pausing.wait(step.seconds):
                    raise TaxohashError("the upload was stopped: run it again")

    def _send(self, step: Send) -> Received | Failed:
        ends, body = self._exchange.clock() + step.seconds, bytearray()
        try:
            with self._http.stream(
                step.call.method, self._exchange.address.rstrip("/") + step.call.path, **step.options
            ) as response:
                for piece in response.iter_bytes():
                    body += piece
                    if self._exchange.clock() > ends:
                        return LATE
                return Received(response.status_code, response.headers, bytes(body))
        except httpx.HTTPError as error:
            return failure(error)
        except UnicodeEncodeError as error:
            raise unsendable(step.call, error) from None


def _take(batches: Batches, under_way: dict[Future[list[answers.BatchResult]], list[Loaded]]) -> None:
    """Wait for one of the batches, and take what became of it."""
    done = next(iter(wait(under_way, return_when=FIRST_COMPLETED).done))
    batch = under_way.pop(done)
    batches.take(batch, done.result())
