"""What is answered without the application: the one form of every error, with the headers that every answer has."""

import secrets
from http import HTTPStatus

from services.retrieval.middleware import generation as generations
from services.retrieval.middleware import identify
from services.retrieval.middleware.headers import HEADERS
from services.web.problems import problem
from services.web.refused import RefusedError

Header = tuple[bytes, bytes]
_LAST = {"Connection": "close", "Cache-Control": "no-store"}


def draining() -> RefusedError:
    """A request that comes when the server is about to end."""
    return RefusedError(
        503, "unavailable", "the server is about to end: send the request again", {"Retry-After": "1"}
    )


def full() -> RefusedError:
    """A connection for which there is no place."""
    return RefusedError(503, "busy", "all connections are taken: try again in a second", {"Retry-After": "1"})


def failed() -> RefusedError:
    """A request that the application failed to answer."""
    return RefusedError(500, "server", "the server failed to answer: its log says why")


def content(refused: RefusedError, generation: str, request_id: str = "") -> tuple[list[Header], bytes]:
    """Headers and body of an answer after which the connection is closed.

    Args:
        generation: the one that is served; empty: none.
        request_id: of the request, where it has one.
    """
    request_id = request_id or secrets.token_hex(8)
    headers = {**refused.headers, **HEADERS, **_LAST}
    answer = problem(refused.status, refused.reason, str(refused), headers, request_id)
    named = [(generations.HEADER, generation.encode())] if generation else []
    return [*answer.raw_headers, (identify.HEADER, request_id.encode()), *named], bytes(answer.body)


def written(refused: RefusedError, more: list[Header], generation: str) -> bytes:
    """An answer as it goes over the wire.

    Args:
        more: headers that all answers have, such as the date.
        generation: see `content`.
    """
    headers, body = content(refused, generation)
    lines = [b"HTTP/1.1 %d %s" % (refused.status, HTTPStatus(refused.status).phrase.encode())]
    lines += [b"%s: %s" % header for header in [*more, *headers]]
    return b"\r\n".join([*lines, b"", body])
