"""Search, by picture, item or code; and the codes of pictures."""

import math
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from services import metrics
from services.retrieval.admission import Turn
from services.retrieval.asked import asked_of
from services.retrieval.bodies import Form, form_of
from services.retrieval.form import shown
from services.retrieval.query import (
    ByHex,
    ById,
    ByImage,
    Encoding,
    Query,
    Search,
    encoding_of,
    search_of,
)
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.schemas.base import MOST_QUERIES
from services.retrieval.schemas.search import (
    EncodeBody,
    EncodeTold,
    EncodeWishes,
    SearchBody,
    SearchTold,
    Wishes,
)
from services.retrieval.service import Service, service_of
from services.retrieval.several import answers, rounds_of, written
from services.retrieval.stages import Stages
from services.retrieval.timeliness import Counted
from services.retrieval.tokens import await_token
from services.web.refused import RefusedError

if TYPE_CHECKING:
    from services.retrieval.decoding.decoders import Decoded
    from services.retrieval.engine import Query as Sought
    from services.retrieval.following import Served

_LARGE = (
    65_536  # bytes of JSON from which it is read in a thread: it takes milliseconds, in which others go on
)

_FEW = 100  # answers to a plain search

T = TypeVar("T")
Read = Callable[[bytearray, Form, list[tuple[str, str]]], T]


async def search(request: Request) -> Response:
    """The nearest items of a picture, of an item or of a code, or of each of up to 64 of them."""
    service = service_of(request)

    def read(body: bytearray, form: Form, parameters: list[tuple[str, str]]) -> Search:
        return search_of(body, form, parameters, service.settings.limits.k)

    async def answer(served: "Served", asked: Search, turn: Turn) -> bytes:
        if asked.wishes.token is not None:
            async with turn.aside():
                served = await await_token(service, served, asked.wishes.token)
        _expect(served, asked.wishes.generation)
        asked_of(request.scope).caller.charge(len(asked.queries))
        turn.rounds = rounds_of(len(asked.queries))
        return await service.aside.run(_searched(_Work(service, served, turn.due), asked))

    def at_once(served: "Served", asked: Search) -> bytes | None:
        query, *more = asked.queries
        if more or asked.is_batch or not (service.brief.fits and _is_plain(query, asked.wishes)):
            return None
        _expect(served, asked.wishes.generation)
        asked_of(request.scope).caller.charge(1)
        return service.brief.done(_found_by(_Work(service, served, math.inf), query, asked.wishes))

    with Counted(service.settings.objective_seconds) as timed:
        return await _answered(request, read, answer, at_once, timed.arrived)


async def encode(request: Request) -> Response:
    """The code of a picture, and as asked what each of its bits weighs; or of each of up to 64."""
    service = service_of(request)

    async def answer(served: "Served", asked: Encoding, turn: Turn) -> bytes:
        _expect(served, asked.generation)
        asked_of(request.scope).caller.charge(len(asked.images))
        turn.rounds = rounds_of(len(asked.images))
        return await service.aside.run(_encoded(_Work(service, served, turn.due), asked))

    return await _answered(request, encoding_of, answer)


async def _answered(
    request: Request,
    read: Read[T],
    answer: Callable[["Served", T, Turn], Awaitable[bytes]],
    at_once: Callable[["Served", T], bytes | None] = lambda served, asked: None,
    arrived: Callable[[], None] = lambda: None,
) -> Response:
    """The answer, by one generation from the first byte to the last.

    What is refused is refused as early as it can be: before the body is read, before it is decoded, before it is searched.

    Args:
        at_once: the answer to what needs neither a turn nor a thread; else None.
        arrived: told when the body is there.
    """
    service = service_of(request)
    served = service.taken()
    try:
        if refusal := service.admission.refusal():
            await service.admission.turn_away(request, refusal)
        form = form_of(request.headers.getlist("content-type"))
        async with service.uploads.read(request.headers, request.receive) as body:
            arrived()
            reading = partial(read, body, form, request.query_params.multi_items())
            asked = None if form.is_json and len(body) > _LARGE else reading()
            if asked is not None and (told := at_once(served, asked)) is not None:
                return Response(told, media_type="application/json")
            async with service.admission.search(request.receive) as turn:
                if asked is None:
                    asked = await service.workers.run(reading)
                body.clear()  # what is kept of it is a copy
                told = await answer(served, asked, turn)
    except RefusedError as refused:
        metrics.REJECTED.labels(refused.reason).inc()
        raise
    return Response(told, media_type="application/json")


def _expect(served: "Served", generation: str | None) -> None:
    """Refuse what is meant for another generation."""
    if generation is not None and generation != served.generation:
        raise RefusedError(
            409,
            "generation",
            f"generation {shown(generation)} is wanted, and {served.generation} is served: encode the picture anew, or ask without",
        )


class _Work:
    """What is done for one request, on the loop aside: it waits for decoders and threads, not for other requests.

    Args:
        due: what is not begun by then is not begun any more, see Admission.search.
    """

    def __init__(self, service: Service, served: "Served", due: float) -> None:
        self.service, self.served = service, served
        self._due = due

    async def decoded(self, image: bytes, stages: Stages) -> "Decoded":
        """A picture, decoded."""
        self._begin()
        with stages.timed("decode"):
            return await self.service.decoders.read(image, self.served.engine.generation.preprocessing)

    async def done(self, work: Callable[[], T]) -> T:
        """What comes of work in a thread."""

        def begun() -> T:
            self._begin()
            return work()

        return await self.service.workers.run(begun)

    def _begin(self) -> None:
        if time.monotonic() > self._due:
            raise self.service.admission.late()


async def _searched(work: _Work, asked: Search) -> bytes:
    def one(query: Query) -> Awaitable[bytes]:
        return _found(work, query, asked.wishes)

    if asked.is_batch:
        return await answers(work.served.generation, asked.queries, one)
    (query,) = asked.queries
    assert not isinstance(query, RefusedError)
    return await one(query)


async def _found(work: _Work, query: Query, wishes: Wishes) -> bytes:
    """The answer to one query."""
    if not isinstance(query, ByImage):
        found_by = _found_by(work, query, wishes)
        plain = _is_plain(query, wishes)
        return await work.done(lambda: work.service.brief.done(found_by) if plain else found_by())
    engine, stages = work.served.engine, Stages()
    of_all = not wishes.nodes and not wishes.names and wishes.radius is None
    decoded = await work.decoded(query.image, stages)

    def found() -> "tuple[Sought, dict[str, Any], bytes, dict[str, int]]":
        """What was searched for, its answer as it is and as it goes to the client, and the items that may have its very picture."""
        sought = engine.of_picture(decoded.pixels, stages)
        answer = engine.search(sought, wishes)
        same = any(result["distance"] == 0 for result in answer["results"])
        alike = engine.alike(sought, wishes, decoded.hash) if same else {}
        if of_all and not alike:
            engine.health.count(answer, partial(sought.view.least, sought.code))
        return sought, answer, _told(work, answer), alike

    sought, answer, told, alike = await work.done(found)
    identical = frozenset[str]()
    if alike:
        generation, changes = work.served.generation, sought.view.changes
        identical = await work.service.identical.among(
            query.image, decoded.hash, [*alike], generation, changes
        )
    if identical:
        rows = [alike[item] for item in identical]
        told = await work.done(lambda: _told(work, engine.search(sought, wishes, rows)))
    elif of_all and alike:  # the nearest is at 0: there is nothing to look for
        engine.health.count(answer, lambda: 0)
    nearest = partial(engine.nearest, answer["code"])
    work.service.sampler.offer(query.image, decoded.hash, answer, nearest, bool(identical))
    return told


def _found_by(work: _Work, query: ById | ByHex, wishes: Wishes) -> Callable[[], bytes]:
    """What answers a query by code or by item."""
    engine = work.served.engine

    def found() -> bytes:
        sought = engine.of_item(query.id) if isinstance(query, ById) else engine.of_code(query.code)
        return _told(work, engine.search(sought, wishes))

    return found


def _is_plain(query: Query | RefusedError, wishes: Wishes) -> TypeGuard[ByHex]:
    """Whether it is a search by code that takes what others of these take. One by item may have to wait for a change."""
    return (
        isinstance(query, ByHex)
        and wishes.k <= _FEW
        and not (wishes.within or wishes.tags or wishes.token or wishes.explain)
        and wishes.radius is None
    )


def _told(work: _Work, answer: dict[str, Any]) -> bytes:
    """An answer as it goes to the client: a thousand items take milliseconds to write."""
    age = work.service.age_seconds
    answer["age_seconds"] = round(age, 3) if math.isfinite(age) else None
    return written(answer)


async def _encoded(work: _Work, asked: Encoding) -> bytes:
    engine = work.served.engine

    async def one(query: ByImage) -> bytes:
        stages = Stages()
        pixels = (await work.decoded(query.image, stages)).pixels
        return await work.done(
            lambda: written(engine.describe_code(engine.encode(pixels, stages), asked.weights))
        )

    if asked.is_batch:
        return await answers(work.served.generation, asked.images, one)
    (image,) = asked.images
    assert isinstance(image, ByImage)
    return await one(image)


_TAKES = ("application/json", "multipart/form-data", "image/*")
ENDPOINTS = [
    Endpoint(
        "POST", "/v1/search", search, "search", "search", Wishes, SearchBody, SearchTold, _TAKES, pictures=MOST_QUERIES
    ),
    Endpoint(
        "POST", "/v1/encode", encode, "encode", "search",
        EncodeWishes, EncodeBody, EncodeTold, _TAKES, pictures=MOST_QUERIES,
    ),
]  # fmt: skip
