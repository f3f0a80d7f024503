"""A request that is not served, and why."""

from taxohash.errors import TaxohashError


class RefusedError(TaxohashError):
    """A request refused with an HTTP status and one sentence.

    Attributes:
        status: HTTP status.
        reason: one word of a fixed set (see problems.py), for clients and for the metrics.
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


def unavailable(sentence: str, seconds: int = 5) -> RefusedError:
    """Something that is needed does not answer: 503, and when to come back. The sentence names nothing internal."""
    return RefusedError(503, "unavailable", sentence, {"Retry-After": str(seconds)})
