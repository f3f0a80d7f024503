"""The description of the API for programs."""

import json

from starlette.requests import Request
from starlette.responses import Response

from services.retrieval.routes.described import described
from services.retrieval.routes.endpoint import Endpoint


async def openapi(request: Request) -> Response:
    """This API as OpenAPI 3.1: every endpoint, what it takes and tells, and where its answers lead."""
    state = request.app.state
    if not hasattr(state, "openapi"):  # made once, for it takes some milliseconds
        state.openapi = json.dumps(described(state.table.endpoints), ensure_ascii=False).encode()
    return Response(state.openapi, media_type="application/json", headers={"Cache-Control": "no-cache"})


ENDPOINTS = [Endpoint("GET", "/v1/openapi.json", openapi, "openapi", "public")]
