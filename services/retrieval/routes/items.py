"""Items of the catalogue: their thumbnails, and some to start from."""

from functools import partial

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.codestore import StoreUnavailableError
from services.codestore.pictures import DamagedPictureError, MissingPictureError
from services.retrieval.errors import RefusedError
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.service import Service, service_of
from taxohash.errors import TaxohashError
from taxohash.identifiers import shown


class _ItemId(PathConvertor):
    """An item's id in a path: any text, line breaks included, at which Starlette's own `path` would end."""

    regex = "(?s:.*)"


register_url_convertor("item_id", _ItemId())


async def thumbnail(request: Request) -> Response:
    service = service_of(request)
    served = service.taken()
    work = partial(_thumbnail, service, served.generation, request.path_params["item"])
    data = await service.workers.run(work, "the thumbnail")
    return Response(data, media_type=_picture_type(data), headers={"Cache-Control": "private, max-age=3600"})


def _thumbnail(service: Service, generation: str, item_id: str) -> bytes:
    """The thumbnail of an item, as the generation that is served has it.

    Raises:
        RefusedError: 404, there is none; 503, it is damaged, or nobody said where pictures are.
        StoreUnavailableError: one of both stores does not answer as it should.
    """
    try:
        item = service.store().item(service.settings.collection, item_id, generation)
    except StoreUnavailableError:
        raise
    except TaxohashError as error:  # an id that no item can have
        raise RefusedError(404, "item", str(error)) from None
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


async def examples(request: Request) -> Response:
    service = service_of(request)
    return JSONResponse(await service.workers.run(service.taken().engine.examples, "the examples"))


def _picture_type(data: bytes) -> str:
    starts = {
        b"\x89PNG": "image/png",
        b"\xff\xd8\xff": "image/jpeg",
        b"RIFF": "image/webp",
        b"GIF8": "image/gif",
    }
    return next(
        (kind for start, kind in starts.items() if data.startswith(start)), "application/octet-stream"
    )


ENDPOINTS = [
    Endpoint("GET", "/v1/items/{item:item_id}/thumbnail", thumbnail, "thumbnail", "search"),
    Endpoint("GET", "/v1/examples", examples, "examples", "search"),
]
