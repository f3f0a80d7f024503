"""The one form of every error: RFC 9457, application/problem+json.

Whatever layer refuses or fails, the answer has one of the reasons below, and nothing in it that is internal: no address,
path of a file, name of a socket or text of an exception.
"""

import json
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler, Scope

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
    "origin": "Page of another site",
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


def answer_to(error: RefusedError, request_id: str) -> Response:
    """A refusal as it goes to the client."""
    return problem(error.status, error.reason, str(error), error.headers, request_id)


def nowhere(scope: Scope, allowed: tuple[str, ...] = ()) -> RefusedError:
    """There is no such endpoint.

    Args:
        allowed: methods that the path has.
    """
    path = repr(scope["path"][:60])
    if allowed:
        method, methods = scope["method"][:20], ", ".join(allowed)
        return RefusedError(
            405, "method", f"{method} is not answered at {path}: use {methods}", {"Allow": methods}
        )
    return RefusedError(
        404, "path", f"there is nothing at {path}: POST a picture to /v1/search, or open / in a browser"
    )


BUG = RefusedError(500, "server", "the server failed to answer: its log says why, under this request's id")
_GONE = RefusedError(400, "gone", "request ended before it was complete: send it again")
_UNREADABLE = "request cannot be read: send what the documentation of this endpoint asks for"


def _told(request: Request, error: RefusedError) -> Response:
    return answer_to(error, request.scope.get("state", {}).get("request_id", ""))


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return _told(request, error)


async def http_error(request: Request, error: Exception) -> Response:
    """What Starlette raises. Its text is not ours, and not told."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _told(request, nowhere(request.scope))
    if error.status_code < 500:
        return _told(request, RefusedError(error.status_code, "request", _UNREADABLE))
    return _told(request, BUG)


async def no_store(request: Request, error: Exception) -> Response:
    """What it says names the store: that is for the log."""
    return _told(request, unavailable("the code store does not answer: try again in a few seconds"))


async def gone(request: Request, error: Exception) -> Response:
    """The client left before its request was complete; nobody reads this."""
    return _told(request, _GONE)


async def bug(request: Request, error: Exception) -> Response:
    """What nobody foresaw: Starlette raises it again after this answer, so that it is logged."""
    return _told(request, BUG)


HANDLERS: dict[type[Exception] | int, ExceptionHandler] = {
    HTTPException: http_error,
    RefusedError: refused,
    StoreUnavailableError: no_store,
    ClientDisconnect: gone,
    Exception: bug,
}
