"""What the client is told when something goes wrong: one form, {"error": sentence}."""

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler

from services.codestore import StoreUnavailableError
from services.retrieval.errors import RefusedError, refusal_response


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return refusal_response(error)


async def http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path[:60]
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        sentence = f"{request.method} is not answered at {path!r}: use {allowed}"
    else:
        sentence = f"there is nothing at {path!r}: POST a picture to /v1/search, or open / in a browser"
    return JSONResponse({"error": sentence}, error.status_code, error.headers)


async def no_store(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 503, {"Retry-After": "5"})


async def gone(request: Request, error: Exception) -> Response:
    """The client left before its request was complete; nobody reads this."""
    return JSONResponse({"error": "request ended before it was complete: send it again"}, 400)


async def bug(request: Request, error: Exception) -> Response:
    """What nobody foresaw: Starlette raises it again after this answer, so that it is logged."""
    return JSONResponse({"error": "the server failed to answer: its log says why"}, 500)


HANDLERS: dict[type[Exception] | int, ExceptionHandler] = {
    HTTPException: http_error,
    RefusedError: refused,
    StoreUnavailableError: no_store,
    ClientDisconnect: gone,
    Exception: bug,
}
