"""Items of the catalogue: their thumbnails, and some to start from."""

from starlette.concurrency import run_in_threadpool
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.codestore import StoreUnavailableError
from services.retrieval.errors import RefusedError
from services.retrieval.loaded import loaded_of
from taxohash.errors import TaxohashError
from taxohash.identifiers import shown


class _ItemId(PathConvertor):
    """An item's id in a path: any text, line breaks included, at which Starlette's own `path` would end."""

    regex = "(?s:.*)"


register_url_convertor("item_id", _ItemId())


async def thumbnail(request: Request) -> Response:
    loaded = loaded_of(request)
    item = request.path_params["item"]
    try:
        data = await run_in_threadpool(loaded.store.thumbnail, loaded.settings.collection, item)
    except StoreUnavailableError:
        raise
    except TaxohashError as error:  # an id that no item can have
        raise RefusedError(404, "item", str(error)) from None
    if not data:
        raise RefusedError(404, "item", f"item {shown(item)} has no thumbnail: use an id from a search")
    return Response(data, media_type=_picture_type(data), headers={"Cache-Control": "private, max-age=3600"})


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
