"""How the service does: whether all is well, and a few figures and curves of the last hour, from its own metrics."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.schemas.parameters import pairs_of, read_pairs
from services.retrieval.schemas.status import StatusTold, StatusWishes
from services.retrieval.service import service_of


async def status(request: Request) -> Response:
    """Whether all is well, what is not, and a few figures and curves of the last hour. Told from memory, also while nothing is loaded and no store answers."""
    service = service_of(request)
    wishes = read_pairs(StatusWishes, pairs_of(request.scope["query_string"]))
    standing, served = service.standing(), service.served
    told = await service.recorder.told(
        service.settings.collection,
        len(served.engine) if served else None,
        standing,
        service.status(standing),
        bool(service.trouble),
        60.0 * wishes.minutes,
    )
    return JSONResponse(told)


ENDPOINTS = [
    Endpoint("GET", "/v1/status", status, "status", "search", parameters=StatusWishes, told=StatusTold),
]
