"""There are no websockets here."""

from starlette.types import Receive, Scope, Send

from services.retrieval.middleware.headers import NO_STORE, RAW_HEADERS
from services.retrieval.middleware.identify import HEADER, request_id_for
from services.web.problems import answer_to
from services.web.refused import RefusedError

_REFUSED = RefusedError(404, "path", "there are no websockets here: POST a picture to /v1/search")
_FORBIDDEN = 1008


async def refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as errors are answered, where the server can do that; otherwise it answers with a bare 403."""
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        request_id = request_id_for(scope)
        answer = answer_to(_REFUSED, request_id)
        answer.raw_headers += [(HEADER, request_id.encode()), NO_STORE, *RAW_HEADERS]
        await answer(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": _FORBIDDEN})
