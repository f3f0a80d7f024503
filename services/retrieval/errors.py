"""A request that is not served, and what the client is told."""

from starlette.responses import JSONResponse

from taxohash.errors import TaxohashError


class RefusedError(TaxohashError):
    """A request refused with an HTTP status and one sentence.

    Attributes:
        status: HTTP status.
        reason: one word of a fixed set, for the metrics.
        headers: further response headers.
    """

    def __init__(
        self, status: int, reason: str, sentence: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason
        self.headers = headers or {}


def busy(sentence: str, seconds: int = 1) -> RefusedError:
    """Too much to do just now: 429, and when to come back."""
    return RefusedError(429, "busy", sentence, {"Retry-After": str(seconds)})


def refusal_response(refused: RefusedError) -> JSONResponse:
    """The one form of every error: {"error": sentence}."""
    return JSONResponse({"error": str(refused)}, refused.status, refused.headers)
