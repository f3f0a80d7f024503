"""What is logged of requests: a line for each, and one more for each that may write.

What never stands in it: a secret, a picture, a header, a query, or any other text of a client. So the route is told by
its name, not by its path. Requests that cost nothing are told sparingly, so that a flood of them fills no disk: so many lines a
second, and then how many were left out.
"""

import logging
import time
from typing import NamedTuple

from services.retrieval.asked import Asked
from services.web.logs import LOG, Sparing, told_of

REQUESTS = logging.getLogger("taxohash.requests")
AUDIT = logging.getLogger("taxohash.audit")


class Answered(NamedTuple):
    """How a request was answered.

    Attributes:
        status: of HTTP; 499: the client had left.
        sent: bytes of the body.
        generation: that was served then.
        client: address of the other end.
    """

    status: int
    sent: int
    seconds: float
    generation: str
    client: str


_cheap = Sparing("that cost nothing")
_not_let_in = Sparing("to write that were not let in")
_failures = Sparing("that failed")


def answered(asked: Asked, answer: Answered) -> None:
    """A request, once it is answered."""
    now = time.monotonic()
    known = {"request_id": asked.id, "method": asked.method, "route": asked.route, "status": answer.status}
    known["key"] = asked.caller.name
    if asked.why:
        known["why"] = asked.why
    if asked.access in ("write", "admin") and (not asked.why or _not_let_in.fits(now)):
        AUDIT.info(
            "audit", extra={**known, "client": answer.client, "outcome": _outcome(asked, answer.status)}
        )
    if (asked.access == "public" or answer.status >= 400) and not _cheap.fits(now):
        return
    known["ms"] = round(1000.0 * answer.seconds, 2)
    known["bytes"] = answer.sent
    known["generation"] = answer.generation
    known["client"] = answer.client
    REQUESTS.info("request", extra=known)


def failed(asked: Asked, error: BaseException) -> None:
    """A request that ended in an exception that nobody foresaw."""
    if _failures.fits(time.monotonic()):
        told = {"request_id": asked.id, "route": asked.route, "exception": told_of(error)}
        LOG.error("a request failed", extra=told)


def _outcome(asked: Asked, status: int) -> str:
    if asked.why:
        return "not let in"
    return "done" if status < 400 else "refused" if status < 500 else "failed"
