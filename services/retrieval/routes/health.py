"""Whether the process lives, whether it should get requests, and its metrics. Nothing here waits for anything."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services import metrics
from services.retrieval.readiness import told
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.service import service_of


async def alive(request: Request) -> Response:
    """Whether the process lives: 200 from its start on."""
    return JSONResponse({"status": "alive"})


async def ready(request: Request) -> Response:
    """Whether it should get requests: 200 once a generation is loaded, else 503; what is served, wanted and published, and how old it is."""
    service = service_of(request)
    standing = service.standing()
    status = service.status(standing)
    if status == "ready":
        return JSONResponse(told(standing, status))
    return JSONResponse(told(standing, status), 503, {"Retry-After": "2"})


async def exposition(request: Request) -> Response:
    """The metrics below."""
    return Response(metrics.exposition("retrieval"), headers={"Content-Type": metrics.CONTENT_TYPE})


ENDPOINTS = [
    Endpoint("GET", "/livez", alive, "livez", "public"),
    Endpoint("GET", "/readyz", ready, "readyz", "public"),
    Endpoint("GET", "/healthz", ready, "healthz", "public"),
    Endpoint("GET", "/metrics", exposition, "metrics", "public", gives="text/plain"),
]
