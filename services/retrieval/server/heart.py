"""What a worker tells its supervisor: a byte in a pipe, every second and when it is ready. It comes from the event loop, so
that a loop which hangs is silent."""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress

from starlette.types import ASGIApp, Message, Scope

BEAT, READY = b".", b"+"
_SECONDS = 1.0
_PROBE_SECONDS = 0.2
LOG = logging.getLogger("taxohash.server")


async def beat(pipe: int, alone: Callable[[], None]) -> None:
    """Tell that the loop runs, for as long as it does.

    Args:
        pipe: its end that is written to.
        alone: called when nobody holds the other end any more.
    """
    while True:
        if not _write(pipe, BEAT):
            alone()
            return
        await asyncio.sleep(_SECONDS)


async def tell_when_ready(pipe: int, app: ASGIApp) -> None:
    """Ask the application's /readyz as a probe would, until it is ready, and tell that."""
    while await _status(app, "/readyz") != 200:
        await asyncio.sleep(_PROBE_SECONDS)
    _write(pipe, READY)


def _write(pipe: int, byte: bytes) -> bool:
    with suppress(BlockingIOError):  # a supervisor that is stopped does not read
        try:
            os.write(pipe, byte)
        except BrokenPipeError:
            return False
    return True


async def _status(app: ASGIApp, path: str) -> int:
    """Status with which an application answers GET, without a connection."""
    statuses = [0]
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": None,
        "server": None,
        "state": {"probe": True},
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    try:
        await app(scope, receive, send)
    except Exception:
        LOG.exception("%s fails", path)
    return statuses[-1]
