"""Whether the process lives, whether its memory answers, and its metrics."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services import metrics
from services.trigger.endpoint import Endpoint
from services.trigger.service import service_of


async def alive(request: Request) -> Response:
    """Whether the process lives: 200 from its start on."""
    return JSONResponse({"status": "alive"})


async def ready(request: Request) -> Response:
    """Whether reasons can be taken down: 200 where the code store answers, else 503."""
    keeper = service_of(request).keeper
    await asyncio.to_thread(lambda: keeper.state)
    return JSONResponse({"status": "ready"})


async def exposition(request: Request) -> Response:
    """The metrics below."""
    return Response(metrics.exposition("trigger"), headers={"Content-Type": metrics.CONTENT_TYPE})


ENDPOINTS = [
    Endpoint("GET", "/livez", alive, "livez", "public"),
    Endpoint("GET", "/readyz", ready, "readyz", "public"),
    Endpoint("GET", "/metrics", exposition, "metrics", "public"),
]
