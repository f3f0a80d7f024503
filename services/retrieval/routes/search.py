"""Search by picture."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services import metrics
from services.retrieval.errors import RefusedError
from services.retrieval.loaded import loaded_of
from services.retrieval.uploads import read_search


async def search(request: Request) -> Response:
    loaded = loaded_of(request)
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


ROUTES = [Route("/v1/search", search, methods=["POST"], name="search")]
