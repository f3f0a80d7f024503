"""An ASGI application that does what it is told, for tests of what serves it."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from taxohash.errors import TaxohashError


async def told(request: Request) -> Response:
    """What arrived."""
    path, query = request.url.path, request.url.query
    headers = sorted(name for name in request.headers if name.startswith("x-"))
    return PlainTextResponse(repr((request.method, path, query, headers)))


async def slow(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params["seconds"]))
    return PlainTextResponse("slow")


async def block(request: Request) -> Response:
    time.sleep(float(request.query_params["seconds"]))
    return PlainTextResponse("blocked")


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def unread(request: Request) -> Response:
    raise HTTPException(413, "unread")


async def large(request: Request) -> Response:
    return Response(b"x" * int(request.query_params["bytes"]))


async def fail(request: Request) -> Response:
    raise RuntimeError("a bug")


async def die(request: Request) -> Response:
    os._exit(3)


async def hoard(request: Request) -> Response:
    """Take all descriptors that there are."""
    with suppress(OSError):
        while True:
            request.app.state.hoard.append(open(os.devnull, "rb"))  # noqa: SIM115
    return PlainTextResponse("none is left")


async def orphan(request: Request) -> Response:
    """Start a process that leaves our session, and has nobody who waits for it."""
    script = "import subprocess, sys; print(subprocess.Popen(['sleep', '600'], start_new_session=True, stdout=2).pid)"
    made = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    return Response((await made.communicate())[0])


async def pid(request: Request) -> Response:
    return PlainTextResponse(str(os.getpid()))


async def broken(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("a bug")

    return StreamingResponse(pieces())


def create() -> Starlette:
    """The application; `TOY` in the environment may spoil it."""
    spoilt = os.environ.get("TOY", "")
    if spoilt == "settings":
        raise TaxohashError("TOY is 'settings': set it to something else")
    if spoilt == "crash":
        os._exit(7)

    @asynccontextmanager
    async def living(app: Starlette) -> AsyncIterator[None]:
        if spoilt == "startup":
            raise RuntimeError("it does not start")
        app.state.hoard = []
        app.state.ready_at = time.monotonic() + float(os.environ.get("TOY_SECONDS", "0"))
        yield

    async def ready(request: Request) -> Response:
        return PlainTextResponse("", 200 if time.monotonic() >= request.app.state.ready_at else 503)

    handlers = {"slow": slow, "block": block, "echo": echo, "unread": unread, "large": large, "pid": pid}
    handlers |= {"hoard": hoard, "orphan": orphan, "fail": fail, "die": die, "broken": broken}
    methods = ["GET", "POST"]
    return Starlette(
        routes=[
            Route("/readyz", ready),
            *(Route(f"/{name}", handler, methods=methods) for name, handler in handlers.items()),
            Route("/{path:path}", told, methods=methods),
        ],
        lifespan=living,
    )
