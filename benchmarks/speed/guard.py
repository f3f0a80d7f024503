"""What the guard costs a request: its id, gate, response headers, counts and line of the log; prints JSON.

A route that does nothing is asked in this process, alone and behind the guard; no server and no store.

python -m benchmarks.speed.guard [--requests 4000] [--rounds 5] [--keys 3,1000]
"""

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message

from benchmarks.common.command import numbers, start
from services.retrieval.access import keys
from services.retrieval.access.keys import Key
from services.retrieval.app import application
from services.retrieval.routes import ENDPOINTS
from services.retrieval.routes.table import Table
from services.retrieval.service import Service
from services.retrieval.settings import Settings
from services.web import logs
from taxohash.runtime.provenance import revision


async def nothing(request: Request) -> Response:
    return JSONResponse({})


TABLE = Table([endpoint._replace(answer=nothing) for endpoint in ENDPOINTS])


def scope_of(method: str, path: str, key: str | None) -> dict[str, Any]:
    headers = [(b"host", b"service.example"), (b"user-agent", b"benchmark"), (b"accept", b"*/*")]
    if key:
        headers.append((b"authorization", f"Bearer {key}".encode()))
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": "",
        "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers,
        "client": ("192.0.2.1", 40000), "server": ("192.0.2.2", 3000), "state": {},
    }  # fmt: skip


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    pass


async def microseconds(app: ASGIApp, requests: int, *asked: Any) -> float:
    """CPU time of the event loop's thread, a request."""
    started = time.thread_time()
    for _ in range(requests):
        await app(scope_of(*asked), receive, send)
    return 1e6 * (time.thread_time() - started) / requests


def measure(count: int, requests: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Microseconds of each kind of request, the least of some rounds, where there are so many keys."""
    secrets = [keys.new_secret() for _ in range(count)]
    file = folder / "keys.json"
    made = (
        Key(name=f"key-{n}", role="search", digest=keys.digest_of(secret), created="2026-01-01T00:00:00Z", rate=1e6)
        for n, secret in enumerate(secrets)
    )  # fmt: skip
    file.write_text(keys.text_of(tuple(made)))
    guarded = application(Service(Settings(redis_url="memory://", api_keys_file=str(file))), TABLE)
    bare = Starlette(routes=TABLE.routes)
    kinds: dict[str, tuple[ASGIApp, str, str, str | None]] = {
        "route alone": (bare, "POST", "/v1/search", None),
        "right key": (guarded, "POST", "/v1/search", secrets[-1]),
        "wrong key": (guarded, "POST", "/v1/search", keys.new_secret()),
        "no key": (guarded, "POST", "/v1/search", None),
        "public": (guarded, "GET", "/livez", None),
    }
    took = {
        name: min(asyncio.run(microseconds(app, requests, *asked)) for _ in range(rounds))
        for name, (app, *asked) in kinds.items()
    }
    return {"keys": count, "microseconds": {name: round(value, 1) for name, value in took.items()}}


def main(
    requests: Annotated[int, typer.Option(help="requests of a round")] = 4_000,
    rounds: Annotated[int, typer.Option(help="rounds, the fastest of which counts")] = 5,
    key_counts: Annotated[str, typer.Option("--keys", help="numbers of keys, comma-separated")] = "3,1000",
) -> None:
    logs.configure("json", os.open(os.devnull, os.O_WRONLY))
    with tempfile.TemporaryDirectory() as folder:
        runs = [measure(count, requests, rounds, Path(folder)) for count in numbers(key_counts)]
    print(json.dumps({"benchmark": "guard", "runs": runs, **revision()}, indent=1))


if __name__ == "__main__":
    start(main)
