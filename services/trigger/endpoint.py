"""One route of the trigger, who may use it, and what it reads of a request."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from services.trigger.records import PIPELINES, Pipeline
from services.trigger.service import service_of
from services.web.refused import RefusedError


class Endpoint(NamedTuple):
    """A route.

    Attributes:
        access: public: everybody; token: see access.py; signed: whoever sends a signature, which the route checks.
    """

    method: str
    path: str
    answer: Callable[[Request], Awaitable[Response]]
    name: str
    access: Literal["public", "token", "signed"]


async def body_of(request: Request) -> bytes:
    """The body of a request, whole; only of those who may send one.

    Raises:
        RefusedError: as `read_body`.
    """
    body = bytearray()
    await read_body(request, body.extend)
    return bytes(body)


async def read_body(request: Request, take: Callable[[bytes], object]) -> None:
    """Give the pieces of a request's body to `take`, as they arrive.

    Raises:
        RefusedError: 413, it is too large; 408, too slow.
    """
    settings, length = service_of(request).settings, 0
    try:
        async with asyncio.timeout(settings.upload_seconds):
            async for piece in request.stream():
                take(piece)
                length += len(piece)
                if length > settings.body_bytes:
                    raise RefusedError(
                        413,
                        "body",
                        f"body has more than {settings.body_bytes} bytes: send less",
                        {"Connection": "close"},
                    )
    except TimeoutError:
        raise RefusedError(
            408, "slow", "body did not arrive in time: send it again", {"Connection": "close"}
        ) from None


async def object_of(request: Request, *names: str) -> dict[str, Any]:
    """The JSON object that a request brings; an empty one where it brings nothing.

    Args:
        names: that it may have.

    Raises:
        RefusedError: 400, it is none, or has another name; or as `body_of`.
    """
    body = await body_of(request)
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RefusedError(400, "parameter", "body is no JSON object: send one")
    if (unknown := next((name for name in found if name not in names), None)) is not None:
        raise RefusedError(400, "parameter", f"{unknown[:40]!r} is unknown here: give {', '.join(names)}")
    return found


def text_in(sent: dict[str, Any], name: str, default: str, most: int = 200) -> str:
    """A text that an object may have.

    Raises:
        RefusedError: 400, it is none, or too long.
    """
    value = sent.get(name, default)
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise RefusedError(400, "parameter", f"{name} is no text: give at most {most} letters")
    return value


def pipeline_in(sent: dict[str, Any]) -> Pipeline:
    """The pipeline that an object names; retrain where it names none.

    Raises:
        RefusedError: 400, there is no such pipeline.
    """
    named = text_in(sent, "pipeline", "retrain")
    found = next((pipeline for pipeline in PIPELINES if pipeline == named), None)
    if found is None:
        raise RefusedError(400, "parameter", f"pipeline is none: give {', '.join(PIPELINES)}")
    return found
