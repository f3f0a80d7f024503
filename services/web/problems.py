"""The one form of every error: RFC 9457, application/problem+json.

Whatever layer refuses or fails, the answer has one of the reasons below, and nothing in it that is internal: no address,
path of a file, name of a socket or text of an exception.
"""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.web.refused import RefusedError, unavailable

MEDIA_TYPE = "application/problem+json"
# Every reason, the last part of a problem's type.
TITLES = {
    "alert": "Not a notification",
    "approval": "Not published",
    "body": "Body too large",
    "busy": "Too busy",
    "conflict": "Not done",
    "content-type": "Wrong content type",
    "form": "Form cannot be read",
    "full": "No room left",
    "generation": "Another generation is served",
    "gone": "Client left",
    "hasher": "Hasher gives no code",
    "image": "Picture cannot be read",
    "item": "No such item",
    "key": "Key missing or wrong",
    "lineage": "No such generation",
    "loading": "Not ready yet",
    "map": "No map of codes",
    "memory": "Picture takes too much memory",
    "method": "Wrong method",
    "origin": "Page of another site",
    "parameter": "Wrong parameter",
    "path": "Nothing here",
    "pictures": "Picture not available",
    "rate": "Too many requests of this key",
    "repeated": "Another request of this Idempotency-Key",
    "request": "Request cannot be read",
    "role": "Not allowed for this key",
    "run": "No such run",
    "server": "Server error",
    "slow": "Too slow",
    "time": "Took too long",
    "unavailable": "Not available",
}


def problem(
    status: int, reason: str, sentence: str, headers: Mapping[str, str] | None = None, request_id: str = ""
) -> Response:
    """An error as it goes to the client.

    Args:
        reason: one of TITLES.
        sentence: what is wrong, and what to do; nothing internal.
    """
    content = told_of(RefusedError(status, reason, sentence))
    if request_id:
        content["request_id"] = request_id
    body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, status, headers, MEDIA_TYPE)


def told_of(error: RefusedError) -> dict[str, Any]:
    """A refusal as part of an answer: that of one of several things that were asked."""
    return {
        "type": f"urn:taxohash:{error.reason}",
        "title": TITLES[error.reason],
        "status": error.status,
        "detail": str(error),
    }


def answer_to(error: RefusedError, request_id: str) -> Response:
    """A refusal as it goes to the client."""
    return problem(error.status, error.reason, str(error), error.headers, request_id)


BUG = RefusedError(500, "server", "the server failed to answer: its log says why, under this request's id")
NO_STORE = unavailable("the code store does not answer: try again in a few seconds")
_GONE = RefusedError(400, "gone", "request ended before it was complete: send it again")


def told(request: Request, error: RefusedError) -> Response:
    """A refusal as it goes to the client, with the id of the request."""
    return answer_to(error, request.scope.get("state", {}).get("request_id", ""))


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return told(request, error)


async def gone(request: Request, error: Exception) -> Response:
    """The client left before its request was complete; nobody reads this."""
    return told(request, _GONE)


async def no_store(request: Request, error: Exception) -> Response:
    """The code store is away. What the error says names it: that is for the log."""
    return told(request, NO_STORE)


async def bug(request: Request, error: Exception) -> Response:
    """What nobody foresaw: Starlette raises it again after this answer, so that it is logged."""
    return told(request, BUG)
