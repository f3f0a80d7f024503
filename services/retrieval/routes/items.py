"""Items of the catalogue: their thumbnails."""

import asyncio
from functools import partial

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from services.codestore import StoreUnavailableError
from services.codestore.pictures import DamagedPictureError, MissingPictureError
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.service import Service, service_of
from services.web.refused import RefusedError, unavailable
from taxohash.errors import TaxohashError
from taxohash.identifiers import check_id, shown

# What lies in the picture store is somebody's: a browser shows it as a picture, and runs nothing of it.
_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


class _ItemId(PathConvertor):
    """An item's id in a path: any text, line breaks included, at which Starlette's own `path` would end."""

    regex = "(?s:.*)"


register_url_convertor("item_id", _ItemId())


async def thumbnail(request: Request) -> Response:
    """The thumbnail of an item, as the generation that is served has it."""
    service = service_of(request)
    served = service.taken()
    work = partial(_thumbnail, service, served.generation, request.path_params["item"])
    seconds = service.settings.limits.store_seconds
    try:
        async with asyncio.timeout(seconds):  # waiting for a thread, connecting and repeating are in it
            data = await service.asking.run(work)
    except TimeoutError:
        raise unavailable(
            f"a store does not answer within {seconds:g} seconds (TAXOHASH_STORE_SECONDS): try again in a few"
        ) from None
    return Response(data, media_type=_picture_type(data), headers=_HEADERS)


def _thumbnail(service: Service, generation: str, item_id: str) -> bytes:
    """The thumbnail of an item, as the generation that is served has it.

    Raises:
        RefusedError: 404, there is none; 503, it is damaged, or nobody said where pictures are.
        StoreUnavailableError: one of both stores does not answer as it should.
    """
    try:
        check_id(item_id)
    except TaxohashError as error:  # no item can have it
        raise RefusedError(404, "item", str(error)) from None
    try:
        item = service.store().item(service.settings.collection, item_id, generation)
    except StoreUnavailableError:
        raise
    except TaxohashError as error:  # what it says of the collection is for the log
        raise StoreUnavailableError(str(error)) from None
    name = shown(item_id)
    if item is None or not item.thumbnail:
        raise RefusedError(404, "item", f"item {name} has no thumbnail: use an id from a search")
    if service.pictures is None:
        raise RefusedError(
            503, "pictures", "thumbnails are not at hand: set TAXOHASH_PICTURES to the picture store"
        )
    try:
        return service.pictures.get(item.thumbnail)
    except MissingPictureError:
        raise RefusedError(
            404, "item", f"thumbnail of item {name} is not in the picture store: index it again"
        ) from None
    except DamagedPictureError:
        raise RefusedError(
            503, "pictures", f"thumbnail of item {name} is damaged in the picture store: index it again"
        ) from None


def _picture_type(data: bytes) -> str:
    """By content alone; never a type that a browser would run."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    starts = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
    return next(
        (kind for start, kind in starts.items() if data.startswith(start)), "application/octet-stream"
    )


ENDPOINTS = [
    Endpoint("GET", "/v1/items/{item:item_id}/thumbnail", thumbnail, "thumbnail", "search"),
]
