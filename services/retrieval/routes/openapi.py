"""The description of the API for programs."""

import json

from starlette.requests import Request
from starlette.responses import Response

from services.retrieval.routes.described import described
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.service import service_of


async def openapi(request: Request) -> Response:
    """This API as OpenAPI 3.1: every endpoint, what it takes and tells, where its answers lead, and what is open to who asks."""
    state = request.app.state
    role = service_of(request).gate.open_to(request.scope)
    if not hasattr(state, "openapi"):
        state.openapi = {}
    if role not in state.openapi:  # made once, for it takes some milliseconds
        state.openapi[role] = json.dumps(described(state.table.endpoints, role), ensure_ascii=False).encode()
    return Response(state.openapi[role], media_type="application/json", headers={"Cache-Control": "no-cache"})


ENDPOINTS = [Endpoint("GET", "/v1/openapi.json", openapi, "openapi", "public")]
