"""The one form of every error: RFC 9457, application/problem+json."""

import json
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from services.codestore import StoreUnavailableError
from services.retrieval.errors import RefusedError, unavailable

MEDIA_TYPE = "application/problem+json"
# Every reason, the last part of a problem's type.
TITLES = {
    "body": "Body too large",
    "busy": "Too busy",
    "content-type": "Wrong content type",
    "form": "Form cannot be read",
    "gone": "Client left",
    "image": "Picture cannot be read",
    "item": "No such item",
    "key": "Key missing or wrong",
    "loading": "Not ready yet",
    "memory": "Picture takes too much memory",
    "method": "Wrong method",
    "parameter": "Wrong parameter",
    "path": "Nothing here",
    "pictures": "Picture not available",
    "rate": "Too many requests of this key",
    "request": "Request cannot be read",
    "role": "Not allowed for this key",
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
    told = {"type": f"urn:taxohash:{reason}", "title": TITLES[reason], "status": status, "detail": sentence}
    if request_id:
        told["request_id"] = request_id
    body = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, status, headers, MEDIA_TYPE)


def told(request: Request, error: RefusedError) -> Response:
    """A refusal as it goes to the client."""
    return problem(error.status, error.reason, str(error), error.headers, request_id_of(request))


def request_id_of(request: Request) -> str:
    """The id of a request, where it has one."""
    return str(request.scope.get("state", {}).get("request_id", ""))


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return told(request, error)


async def http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path, headers = request.url.path[:60], error.headers or {}
    if error.status_code == 405:
        allowed = headers.get("Allow", "another method")
        sentence = f"{request.method[:20]} is not answered at {path!r}: use {allowed}"
        return told(request, RefusedError(405, "method", sentence, dict(headers)))
    sentence = f"there is nothing at {path!r}: POST a picture to /v1/search, or open / in a browser"
    return told(request, RefusedError(404, "path", sentence))


async def no_store(request: Request, error: Exception) -> Response:
    """What it says names the store: that is for the log."""
    return told(request, unavailable("the code store does not answer: try again in a few seconds"))


async def gone(request: Request, error: Exception) -> Response:
    """The client left before its request was complete; nobody reads this."""
    return told(request, RefusedError(400, "gone", "request ended before it was complete: send it again"))


async def bug(request: Request, error: Exception) -> Response:
    """What nobody foresaw: Starlette raises it again after this answer, so that it is logged."""
    return told(request, RefusedError(500, "server", "the server failed to answer: its log says why"))


HANDLERS: dict[type[Exception] | int, ExceptionHandler] = {
    HTTPException: http_error,
    RefusedError: refused,
    StoreUnavailableError: no_store,
    ClientDisconnect: gone,
    Exception: bug,
}
