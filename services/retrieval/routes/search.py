"""Search by picture."""

import json
import math
from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from services import metrics
from services.retrieval import nearness
from services.retrieval.query import Query, form_of, query_of
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.service import Service, service_of
from services.web.refused import RefusedError
from taxohash.images import Pixels

if TYPE_CHECKING:
    from services.retrieval.following import Served


async def search(request: Request) -> Response:
    """The nearest items of the picture in the form field `image`; `k`, `within` and `ranking` (weighted, hamming) are other fields."""
    service = service_of(request)
    served = service.taken()
    try:
        answer = await _answered(request, service, served)
    except RefusedError as refused:
        metrics.REJECTED.labels(refused.reason).inc()
        raise
    return Response(answer, media_type="application/json")


async def _answered(request: Request, service: Service, served: "Served") -> bytes:
    """The answer, by one generation from the first byte to the last.

    What is refused is refused as early as it can be: before the body is read, before it is decoded, before it is searched.
    """
    if refusal := service.admission.refusal():
        await service.admission.turn_away(request, refusal)
    form = form_of(request.headers.getlist("content-type"))
    async with service.uploads.read(request.headers, request.receive) as body:
        query = query_of(body, form, request.query_params.multi_items(), service.settings.limits.k)
        body.clear()  # the picture is a copy
        async with service.admission.search(request.receive):
            return await service.aside.run(_worked_out(service, served, query))


async def _worked_out(service: Service, served: "Served", query: Query) -> bytes:
    """The answer, from a picture that is there. On the loop aside: it waits for decoders and threads, not for other requests."""
    with metrics.STAGE_SECONDS.labels("decode").time():
        pixels = await service.decoders.read(query.image, served.engine.generation.preprocessing)
    return await service.workers.run(partial(_found, service, served, pixels, query))


def _found(service: Service, served: "Served", pixels: Pixels, query: Query) -> bytes:
    """The nearest items, as they go to the client: a thousand of them take milliseconds to write."""
    engine = served.engine
    answer = engine.search(pixels, query.k, query.within, query.weighted)
    nearness.count(answer, engine.reach, lambda: engine.nearest(answer["code"]))
    age = service.standing().age_seconds
    answer["age_seconds"] = round(age, 3) if math.isfinite(age) else None
    return json.dumps(answer, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


ENDPOINTS = [Endpoint("POST", "/v1/search", search, "search", "search")]
