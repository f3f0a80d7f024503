"""The routes of the service."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from services.codestore import CodeStore, StoreUnavailableError
from services.retrieval import metrics
from services.retrieval.engine import Engine
from services.retrieval.guard import Guard, refusal_response
from services.retrieval.refusal import RefusedError
from services.retrieval.settings import Settings
from services.retrieval.uploads import read_search
from services.retrieval.workers import Workers
from taxohash.errors import TaxohashError

_PAGE = Path(__file__).parent / "page"
_STORE_SECONDS = 5.0  # a thumbnail that takes longer is given up


@dataclass(frozen=True)
class Loaded:
    """What the routes work with."""

    settings: Settings
    engine: Engine
    store: CodeStore
    workers: Workers

    @classmethod
    def open(cls, settings: Settings, folder: Path) -> "Loaded":
        """Load the generation in `folder` with its codes.

        Raises:
            TaxohashError: see Engine.open.
        """
        store = CodeStore.connect(settings.redis_url, timeout=_STORE_SECONDS)
        try:
            engine = Engine.open(folder, store, settings)
        except BaseException:
            store.close()
            raise
        metrics.CODES_LOADED.labels(engine.generation.id).set(len(engine))
        return cls(settings, engine, store, Workers(settings.limits))

    def close(self) -> None:
        """Let go of threads and connections."""
        self.workers.close()
        self.store.close()


class Routes:
    """The endpoints; `loaded` is None until the service has started."""

    def __init__(self) -> None:
        self.loaded: Loaded | None = None

    def asgi(self) -> Guard:
        """The application, behind its guard. Not a Starlette itself: BentoML then leaves every path to us."""
        routes = [
            Route("/", self.page, name="page"),
            Route("/page/{name}", self.page, name="page"),
            Route("/metrics", self.metrics, name="metrics"),
            Route("/v1/search", self.search, methods=["POST"], name="search"),
            Route("/v1/items/{item:path}/thumbnail", self.thumbnail, name="thumbnail"),
            Route("/v1/taxonomy", self.taxonomy, name="taxonomy"),
            Route("/v1/examples", self.examples, name="examples"),
            Route("/v1/generation", self.generation, name="generation"),
        ]
        app = Starlette(
            routes=routes,
            exception_handlers={
                HTTPException: _http_error,
                RefusedError: _refused,
                StoreUnavailableError: _no_store,
                ClientDisconnect: _gone,
                Exception: _bug,
            },
        )
        app.router.redirect_slashes = False
        return Guard(app, self._token, self._generation_id)

    async def page(self, request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in ("index.html", "page.css", "page.js", "icon.svg"):
            raise HTTPException(404)
        return FileResponse(_PAGE / name, headers={"Cache-Control": "no-cache"})

    async def metrics(self, request: Request) -> Response:
        return Response(
            await run_in_threadpool(metrics.exposition), headers={"Content-Type": metrics.CONTENT_TYPE}
        )

    async def search(self, request: Request) -> Response:
        loaded = self._loaded()
        try:
            with loaded.workers:
                asked = await read_search(request, loaded.settings.limits)
                answer = await loaded.workers.run(
                    partial(loaded.engine.search, asked), f"picture of {len(asked.image)} bytes"
                )
        except RefusedError as refused:
            metrics.REJECTED.labels(refused.reason).inc()
            raise
        return JSONResponse(answer)

    async def thumbnail(self, request: Request) -> Response:
        loaded = self._loaded()
        item = request.path_params["item"]
        try:
            data = await run_in_threadpool(loaded.store.thumbnail, loaded.settings.collection, item)
        except StoreUnavailableError:
            raise
        except TaxohashError as error:  # an id that no item can have
            raise RefusedError(404, "item", str(error)) from None
        if not data:
            raise RefusedError(404, "item", f"item {item[:60]!r} has no thumbnail: use an id from a search")
        return Response(
            data, media_type=_picture_type(data), headers={"Cache-Control": "private, max-age=3600"}
        )

    async def taxonomy(self, request: Request) -> Response:
        return JSONResponse(self._loaded().engine.describe_taxonomy())

    async def examples(self, request: Request) -> Response:
        return JSONResponse(self._loaded().engine.examples())

    async def generation(self, request: Request) -> Response:
        loaded = self._loaded()
        return JSONResponse(loaded.engine.describe_generation() | {"collection": loaded.settings.collection})

    def _loaded(self) -> Loaded:
        if self.loaded is None:
            raise RefusedError(
                503, "loading", "codes are still being loaded: try again in a moment", {"Retry-After": "2"}
            )
        return self.loaded

    def _token(self) -> str | None:
        return self.loaded.settings.token if self.loaded else None

    def _generation_id(self) -> str:
        return self.loaded.engine.generation.id if self.loaded else ""


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


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return refusal_response(error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path[:60]
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        sentence = f"{request.method} is not answered at {path!r}: use {allowed}"
    else:
        sentence = f"there is nothing at {path!r}: POST a picture to /v1/search, or open / in a browser"
    return JSONResponse({"error": sentence}, error.status_code, error.headers)


async def _no_store(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 503, {"Retry-After": "5"})


async def _gone(request: Request, error: Exception) -> Response:
    """The client left before its request was complete; nobody reads this."""
    return JSONResponse({"error": "request ended before it was complete: send it again"}, 400)


async def _bug(request: Request, error: Exception) -> Response:
    """What nobody foresaw: Starlette raises it again after this answer, so that it is logged."""
    return JSONResponse({"error": "the server failed to answer: its log says why"}, 500)
