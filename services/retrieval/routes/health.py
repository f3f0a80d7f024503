"""Whether the process lives, whether it should get requests, and its metrics. Nothing here waits for anything."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services import metrics
from services.retrieval.readiness import told
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.service import service_of


async def alive(request: Request) -> Response:
    return JSONResponse({"status": "alive"})


async def ready(request: Request) -> Response:
    service = service_of(request)
    standing = service.standing()
    status = service.status(standing)
    if status == "ready":
        return JSONResponse(told(standing, status))
    return JSONResponse(told(standing, status), 503, {"Retry-After": "2"})


async def exposition(request: Request) -> Response:
    return Response(metrics.exposition(), headers={"Content-Type": metrics.CONTENT_TYPE})


ENDPOINTS = [
    Endpoint("GET", "/livez", alive, "livez", "public"),
    Endpoint("GET", "/readyz", ready, "readyz", "public"),
    Endpoint("GET", "/healthz", ready, "healthz", "public"),
    Endpoint("GET", "/metrics", exposition, "metrics", "public"),
]
