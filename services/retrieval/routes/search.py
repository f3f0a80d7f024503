"""Search by picture."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services import metrics
from services.retrieval.errors import RefusedError
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.service import service_of
from services.retrieval.uploads import read_search


async def search(request: Request) -> Response:
    service = service_of(request)
    served = service.taken()
    try:
        asked = await read_search(request, service.settings.limits)
        with service.workers:
            with metrics.STAGE_SECONDS.labels("decode").time():
                pixels = await service.decoders.read(asked.image, served.engine.generation.preprocessing)
            answer = await service.workers.run(
                partial(served.engine.search, pixels, asked.k, asked.within), "the search"
            )
    except RefusedError as refused:
        metrics.REJECTED.labels(refused.reason).inc()
        raise
    age = service.standing().age_seconds
    return JSONResponse(answer | {"age_seconds": round(age, 3)})


ENDPOINTS = [Endpoint("POST", "/v1/search", search, "search", "search")]
