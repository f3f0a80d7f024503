"""What is served: the taxonomy and the generation."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.service import service_of


async def taxonomy(request: Request) -> Response:
    service = service_of(request)
    served = service.taken()
    return JSONResponse(await service.workers.run(served.engine.describe_taxonomy, "the taxonomy"))


async def generation(request: Request) -> Response:
    service = service_of(request)
    served = service.taken()
    described = await service.workers.run(served.engine.describe_generation, "the generation")
    return JSONResponse(described | {"collection": service.settings.collection})


ENDPOINTS = [
    Endpoint("GET", "/v1/taxonomy", taxonomy, "taxonomy", "search"),
    Endpoint("GET", "/v1/generation", generation, "generation", "search"),
]
