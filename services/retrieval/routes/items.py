"""Items of the catalogue: put, told, changed, deleted, their pictures, and what is similar.

Each has two addresses: one with the id in its path, for ids that nothing on the way may read in another way, and one with it in
the query string, for all.
"""

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, TypeVar

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from services import metrics
from services.codestore.pictures import DamagedPictureError, MissingPictureError
from services.retrieval.access import Access
from services.retrieval.asked import asked_of
from services.retrieval.bodies import Form, form_of, json_of
from services.retrieval.item_ids import What, id_in_path, id_in_query
from services.retrieval.items import batch, sent, written
from services.retrieval.items.made import made_of
from services.retrieval.items.told import held
from services.retrieval.items.told import told as described
from services.retrieval.query import wishes_of
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.routes.known import is_known
from services.retrieval.schemas import base
from services.retrieval.schemas import items as schemas
from services.retrieval.schemas.parameters import Pairs, pairs_of, read_pairs
from services.retrieval.schemas.search import Answer, Wishes
from services.retrieval.service import Service, service_of
from services.retrieval.several import written as written_json
from services.retrieval.stores import pictures_of, within_seconds
from services.retrieval.tokens import await_token
from services.web.refused import RefusedError
from taxohash.identifiers import shown

P = TypeVar("P", bound=base.Request)
T = TypeVar("T")
Handler = Callable[[Request, str, P], Awaitable[Response]]

# What lies in the picture store is somebody's: a browser shows it as a picture, and runs nothing of it. It asks each time whether
# the item still has it: another may be put in its place, and a deleted one is seen no more.
_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


_LARGE = 65_536  # bytes of JSON


class _ItemId(PathConvertor):
    """An item's id in a path: any text, line breaks included, at which Starlette's own `path` would end."""

    regex = "(?s:.*)"


register_url_convertor("item_id", _ItemId())


@contextmanager
def _uploaded() -> Iterator[None]:
    """What is refused of an upload is counted."""
    try:
        yield
    except RefusedError as refused:
        metrics.REJECTED.labels(refused.reason).inc()
        raise


async def _said(service: Service, body: bytearray, form: Form, read: Callable[[], T]) -> T:
    """What a body says, and nothing is kept of it; much JSON is read in a thread: it takes milliseconds, in which others go on."""
    is_slow = form.is_json and len(body) > _LARGE
    said = await service.workers.run(read) if is_slow else read()
    body.clear()
    return said


async def put(request: Request, item_id: str, asked: schemas.Described) -> Response:
    """Add an item, or replace the one of this id: with a picture (image/*, a form with `image`, JSON) or a code (JSON), labels and tags."""
    service = service_of(request)
    served = service.taken()
    with _uploaded():
        name = written.name_of(request)
        if refusal := service.admission.refusal():
            await service.admission.turn_away(request, refusal)
        form = form_of(request.headers.getlist("content-type"))
        async with service.uploads.read(request.headers, request.receive) as body:
            async with service.admission.search(request.receive):
                draft = await _said(service, body, form, lambda: sent.draft_of(item_id, body, form, asked))
                made = await service.aside.run(made_of(service, served, draft))
            stored = await written.put(service, served, made, name)
        return _json(stored.told, stored.status, {"Location": stored.told["links"]["item"]})


async def put_several(request: Request) -> Response:
    """Add or replace up to 64 items, each with a result of its own: JSON, or a form with `items` (JSON) and files that they name."""
    service = service_of(request)
    served = service.taken()
    with _uploaded():
        read_pairs(schemas.Nothing, pairs_of(request.scope["query_string"]))
        name = written.name_of(request)
        if refusal := service.admission.refusal():
            await service.admission.turn_away(request, refusal)
        form = form_of(request.headers.getlist("content-type"), is_picture=False)
        async with service.uploads.read(request.headers, request.receive) as body:
            async with service.admission.search(request.receive) as turn:
                drafts = await _said(service, body, form, lambda: sent.drafts_of(body, form))
                asked_of(request.scope).caller.charge(len(drafts))
                turn.rounds = batch.rounds_of(len(drafts))
                made = await service.aside.run(batch.all_made(service, served, drafts))
            ids = [item_id for item_id, _ in drafts]
            return _json(await batch.put_all(service, served, ids, made, name))


async def get(request: Request, item_id: str, asked: schemas.Seen) -> Response:
    """An item as the generation that is served has it: labels, tags, code, and where its pictures are."""
    service = service_of(request)
    served = service.taken()
    if asked.token:
        served = await await_token(service, served, asked.token)
    return _json(await described(service, served, item_id))


async def edit(request: Request, item_id: str, asked: schemas.Nothing) -> Response:
    """Change labels or tags of an item, or both, and leave its picture, its code and all else as they are."""
    service = service_of(request)
    served = service.taken()
    with _uploaded():
        name = written.name_of(request)
        form = json_of(request.headers.getlist("content-type"))
        async with service.uploads.read(request.headers, request.receive) as body:
            change = await _said(service, body, form, lambda: sent.change_of(item_id, body))
        return _json(await written.edit(service, served, change, name))


async def delete(request: Request, item_id: str, asked: schemas.Nothing) -> Response:
    """Delete an item, its codes in every generation, and its original and thumbnail where no other item has the same."""
    service = service_of(request)
    service.taken()
    return _json(await written.delete(service, item_id, written.name_of(request)))


async def image(request: Request, item_id: str, asked: schemas.Nothing) -> Response:
    """The original of an item that was put with its picture, byte by byte."""
    return await _picture(request, item_id, "picture", "original")


async def thumbnail(request: Request, item_id: str, asked: schemas.Nothing) -> Response:
    """The thumbnail of an item, as the generation that is served has it."""
    return await _picture(request, item_id, "thumbnail", "thumbnail")


async def similar(request: Request, item_id: str, asked: Wishes) -> Response:
    """The items nearest to one by its stored code, itself left out, as a search answers; nothing is uploaded again."""
    service = service_of(request)
    served = service.taken()
    if asked.token:
        served = await await_token(service, served, asked.token)
    engine = served.engine
    if asked.generation not in (None, served.generation):
        raise RefusedError(
            409,
            "generation",
            f"generation {shown(asked.generation or '')} is wanted, and {served.generation} is served: ask without",
        )
    async with service.admission.search(request.receive):
        age = service.standing().age_seconds

        def found() -> bytes:
            answer = engine.search(engine.of_item(item_id), asked)
            return written_json(answer | {"age_seconds": round(age, 3) if math.isfinite(age) else None})

        told = await service.workers.run(found)  # a thousand items take milliseconds to write
    return Response(told, media_type="application/json")


async def _picture(request: Request, item_id: str, which: str, name: str) -> Response:
    """A picture of an item, as the generation that is served has it; nothing but that it is the same where the client has it.

    Raises:
        RefusedError: 404, there is none; 503, it is damaged, nobody said where pictures are, or a store does not answer in time.
        StoreUnavailableError: one of both stores does not answer as it should.
    """
    service = service_of(request)
    served = service.taken()
    async with within_seconds(service):
        try:
            digest = getattr((await held(service, served, item_id)).item, which)
        except RefusedError as refused:
            if refused.status != 404:
                raise
            digest = ""
        if not digest:
            raise RefusedError(404, "item", f"item {shown(item_id)} has no {name}: use an id from a search")
        headers = _HEADERS | {"ETag": f'"{digest}"'}
        if is_known(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        pictures = pictures_of(service)
        try:
            data = await service.asking.run(lambda: pictures.get(digest))
        except MissingPictureError:
            raise RefusedError(
                404, "item", f"{name} of item {shown(item_id)} is not in the picture store: index it again"
            ) from None
        except DamagedPictureError:
            raise RefusedError(
                503,
                "pictures",
                f"{name} of item {shown(item_id)} is damaged in the picture store: index it again",
            ) from None
    return Response(data, media_type=_picture_type(data), headers=headers)


def _picture_type(data: bytes) -> str:
    """By content alone; never a type that a browser would run."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    starts = {
        b"\x89PNG": "image/png",
        b"\xff\xd8\xff": "image/jpeg",
        b"GIF8": "image/gif",
        b"BM": "image/bmp",
    }
    return next(
        (kind for start, kind in starts.items() if data.startswith(start)), "application/octet-stream"
    )


def _json(told: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(written_json(told), status, headers, "application/json")


def _wishes(request: Request, pairs: Pairs) -> Wishes:
    return wishes_of(pairs, service_of(request).settings.limits.k)


def _read(model: type[P], request: Request, pairs: Pairs) -> P:
    return read_pairs(model, pairs)


def _at_both(
    method: str,
    what: What,
    handler: "Handler[P]",
    name: str,
    access: Access,
    parameters: type[P],
    by_id: type[P],
    **more: Any,
) -> tuple[Endpoint, Endpoint]:
    """The endpoint with the id in its query string, and that with the id in its path.

    Args:
        what: of the item.
        parameters, by_id: the query string with the id in the path, and with it there.
        more: of both, see Endpoint.
    """
    read: Any = _wishes if issubclass(parameters, Wishes) else partial(_read, parameters)

    @wraps(handler)
    async def by_query(request: Request) -> Response:
        item_id, pairs = id_in_query(pairs_of(request.scope["query_string"]))
        return await handler(request, item_id, read(request, pairs))

    @wraps(handler)
    async def by_path(request: Request) -> Response:
        item_id = id_in_path(request.scope, what, request.path_params["item"])
        return await handler(request, item_id, read(request, pairs_of(request.scope["query_string"])))

    path = "/v1/items/{item:item_id}" + ("" if what == "item" else f"/{what}")
    return (
        Endpoint(method, f"/v1/{what}", by_query, name, access, by_id, **more),
        Endpoint(method, path, by_path, name, access, parameters, **more),
    )


_FORM, _JSON = "multipart/form-data", "application/json"
_PAIRS = [  # parts of items first: a path is theirs before it is that of an item
    _at_both(
        "GET", "thumbnail", thumbnail, "thumbnail", "search", schemas.Nothing, schemas.OnlyId, gives="image/*", tagged=True
    ),
    _at_both("GET", "image", image, "image", "search", schemas.Nothing, schemas.OnlyId, gives="image/*", tagged=True),
    _at_both("GET", "similar", similar, "similar", "search", Wishes, schemas.SimilarById, told=Answer),
    _at_both("GET", "item", get, "item", "search", schemas.Seen, schemas.SeenById, told=schemas.ItemTold),
    _at_both(
        "PUT", "item", put, "put-item", "write", schemas.Described, schemas.DescribedById,
        body=schemas.PutBody, told=schemas.Put, takes=("image/*", _FORM, _JSON),
    ),
    _at_both(
        "PATCH", "item", edit, "edit-item", "write", schemas.Nothing, schemas.OnlyId,
        body=schemas.EditBody, told=schemas.Edited,
    ),
    _at_both(
        "DELETE", "item", delete, "delete-item", "write", schemas.Nothing, schemas.OnlyId, told=schemas.Deleted
    ),
]  # fmt: skip
ENDPOINTS = [
    *(by_query for by_query, _ in _PAIRS),
    Endpoint(
        "POST", "/v1/items", put_several, "put-items", "write",
        schemas.Nothing, schemas.BatchBody, schemas.BatchTold, (_JSON, _FORM), named_files=True,
    ),
    *(by_path for _, by_path in _PAIRS),
]  # fmt: skip
