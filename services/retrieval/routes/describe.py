"""What is served: the taxonomy, the generation, the metrics."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services import metrics
from services.retrieval.loaded import loaded_of


async def taxonomy(request: Request) -> Response:
    return JSONResponse(loaded_of(request).engine.describe_taxonomy())


async def generation(request: Request) -> Response:
    loaded = loaded_of(request)
    return JSONResponse(loaded.engine.describe_generation() | {"collection": loaded.settings.collection})


async def exposition(request: Request) -> Response:
    return Response(
        await run_in_threadpool(metrics.exposition), headers={"Content-Type": metrics.CONTENT_TYPE}
    )


ROUTES = [
    Route("/v1/taxonomy", taxonomy, name="taxonomy"),
    Route("/v1/generation", generation, name="generation"),
    Route("/metrics", exposition, name="metrics"),
]
