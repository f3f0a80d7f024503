"""What is answered without the application: RFC 9457, with the headers that every answer has."""

import json
import secrets
from http import HTTPStatus

from services.retrieval.middleware.headers import HEADERS
from services.retrieval.server.heads import Fault

Header = tuple[bytes, bytes]

DRAINING = Fault(
    503, "unavailable", "the server is about to end: send the request again", {"Retry-After": "1"}
)
FULL = Fault(503, "busy", "all connections are taken: try again in a second", {"Retry-After": "1"})
FAILED = Fault(500, "server", "the server failed to answer: its log says why")
_TITLES = {
    "busy": "Too busy",
    "method": "Wrong method",
    "request": "Request cannot be read",
    "server": "Server error",
    "slow": "Too slow",
    "unavailable": "Not available",
}


def content(fault: Fault) -> tuple[list[Header], bytes]:
    """Headers and body of an answer after which the connection is closed."""
    body = json.dumps(
        {
            "type": f"urn:taxohash:{fault.reason}",
            "title": _TITLES[fault.reason],
            "status": fault.status,
            "detail": fault.sentence,
            "request_id": secrets.token_hex(8),
        }
    ).encode()
    headers = {
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "Connection": "close",
        **HEADERS,
        **fault.headers,
    }
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()], body


def written(fault: Fault, more: list[Header]) -> bytes:
    """An answer as it goes over the wire.

    Args:
        more: headers that all answers have, such as the date.
    """
    headers, body = content(fault)
    status = HTTPStatus(fault.status)
    lines = [b"HTTP/1.1 %d %s" % (fault.status, status.phrase.encode())]
    lines += [b"%s: %s" % header for header in [*more, *headers]]
    return b"\r\n".join([*lines, b"", body])
