"""Items of the catalogue: their thumbnails, and some to start from."""

from starlette.concurrency import run_in_threadpool
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.codestore import StoreUnavailableError
from services.codestore.pictures import DamagedPictureError, MissingPictureError
from services.retrieval.errors import RefusedError
from services.retrieval.loaded import Loaded, loaded_of
from taxohash.errors import TaxohashError
from taxohash.identifiers import shown


class _ItemId(PathConvertor):
    """An item's id in a path: any text, line breaks included, at which Starlette's own `path` would end."""

    regex = "(?s:.*)"


register_url_convertor("item_id", _ItemId())


async def thumbnail(request: Request) -> Response:
    data = await run_in_threadpool(_thumbnail, loaded_of(request), request.path_params["item"])
    return Response(data, media_type=_picture_type(data), headers={"Cache-Control": "private, max-age=3600"})


def _thumbnail(loaded: Loaded, item_id: str) -> bytes:
    """The thumbnail of an item, as the generation that is served has it.

    Raises:
        RefusedError: 404, there is none; 503, it is damaged, or nobody said where pictures are.
        StoreUnavailableError: one of both stores does not answer as it should.
    """
    try:
        item = loaded.store.item(loaded.settings.collection, item_id, loaded.engine.generation.id)
    except StoreUnavailableError:
        raise
    except TaxohashError as error:  # an id that no item can have
        raise RefusedError(404, "item", str(error)) from None
    name = shown(item_id)
    if item is None or not item.thumbnail:
        raise RefusedError(404, "item", f"item {name} has no thumbnail: use an id from a search")
    if loaded.pictures is None:
        raise RefusedError(
            503, "pictures", "thumbnails are not at hand: set TAXOHASH_PICTURES to the picture store"
        )
    try:
        return loaded.pictures.get(item.thumbnail)
    except MissingPictureError:
        raise RefusedError(
            404, "item", f"thumbnail of item {name} is not in the picture store: index it again"
        ) from None
    except DamagedPictureError:
        raise RefusedError(
            503, "pictures", f"thumbnail of item {name} is damaged in the picture store: index it again"
        ) from None


async def examples(request: Request) -> Response:
    return JSONResponse(loaded_of(request).engine.examples())


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


ROUTES = [
    Route("/v1/items/{item:item_id}/thumbnail", thumbnail, name="thumbnail"),
    Route("/v1/examples", examples, name="examples"),
]
