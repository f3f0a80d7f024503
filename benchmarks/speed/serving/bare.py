"""A bare route: one call of an index, by code or by picture, behind Starlette, and nothing else of what a service needs.

`create` makes the application that BARE in the environment describes: `index`, `kind`, `items`, `url`, see `index_of`, and
`generation`, a folder, where it is asked by picture.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.speed.serving.indexes import index_of
from taxohash.generation.hasher import Hasher
from taxohash.images import read_pixels

BARE = "BENCHMARK_BARE"


def create() -> Starlette:
    """The application."""
    asked: dict[str, Any] = json.loads(os.environ[BARE])
    generation = asked.pop("generation", None)
    index = index_of(**asked)
    hasher = Hasher(Path(generation)) if generation else None

    async def by_code(request: Request) -> Response:
        code = np.frombuffer(bytes.fromhex((await request.json())["code"]), np.uint8)[None]
        ids, distances = await run_in_threadpool(index.search, code) if index.waits else index.search(code)
        return JSONResponse({"ids": ids, "distances": distances})

    def found(picture: bytes) -> dict[str, Any]:
        assert hasher
        pixels = read_pixels(picture, hasher.generation.preprocessing)
        outputs = hasher.model.queries(pixels[None])
        ids, distances = index.search(outputs.codes, outputs.weights)
        return {"ids": ids, "distances": distances}

    async def by_picture(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(found, await request.body()))

    route = by_picture if generation else by_code
    return Starlette(routes=[Route("/v1/search", route, methods=["POST"])])
