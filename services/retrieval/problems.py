"""How this service's errors are answered: what there is instead of a path that is not there."""

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler, Scope

from services.codestore import StoreUnavailableError
from services.web.problems import BUG, bug, gone, no_store, refused, told
from services.web.refused import RefusedError

_UNREADABLE = "request cannot be read: send what the documentation of this endpoint asks for"


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


async def http_error(request: Request, error: Exception) -> Response:
    """What Starlette raises. Its text is not ours, and not told."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return told(request, nowhere(request.scope))
    if error.status_code < 500:
        return told(request, RefusedError(error.status_code, "request", _UNREADABLE))
    return told(request, BUG)


HANDLERS: dict[type[Exception] | int, ExceptionHandler] = {
    HTTPException: http_error,
    RefusedError: refused,
    StoreUnavailableError: no_store,
    ClientDisconnect: gone,
    Exception: bug,
}
