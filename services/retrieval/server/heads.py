"""What is wrong with the head of a request that the parser has let pass: bounds, ambiguous framing, what HTTP/1.1 forbids."""

from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from services.web.refused import RefusedError

MAX_TARGET_BYTES = 8 * 1024
MAX_HEAD_BYTES = 32 * 1024
MAX_FIELDS = 100

_METHODS = {b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"QUERY"}


def target_too_long() -> RefusedError:
    """A URL that no client of ours needs."""
    return RefusedError(
        414, "request", f"request target has more than {MAX_TARGET_BYTES} bytes: send parameters in the body"
    )


def head_too_long() -> RefusedError:
    """Headers that no client of ours needs."""
    bounds = f"{MAX_HEAD_BYTES} bytes or {MAX_FIELDS} fields"
    return RefusedError(431, "request", f"request has headers of more than {bounds}: send fewer")


def malformed(what: str) -> RefusedError:
    """What is no request."""
    return RefusedError(400, "request", f"request cannot be read ({what}): send HTTP/1.1")


def refusal_of(
    method: bytes, target: bytes, version: str, headers: Sequence[tuple[bytes, bytes]]
) -> RefusedError | None:
    """What is wrong with a head that the parser has read, if anything.

    Where the end of a body could be told in two ways, a proxy in front may tell it in the other (request smuggling):
    such a request is refused, not understood. RFC 9112, sections 3.2 and 6.

    Args:
        headers: names in lower case, and values.
    """
    if version not in ("1.0", "1.1"):
        return RefusedError(505, "request", f"HTTP/{version} is not spoken here: send HTTP/1.1")
    if method not in _METHODS:
        return RefusedError(
            501,
            "method",
            f"{method.decode('ascii')} is not served here: send GET, POST, PUT, PATCH or DELETE",
        )
    hosts = sum(name == b"host" for name, _ in headers)
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        return malformed(f"it has {hosts or 'no'} Host headers")
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    lengths = sum(name == b"content-length" for name, _ in headers)
    if codings and version == "1.0":
        return malformed("HTTP/1.0 has no Transfer-Encoding")
    if lengths + len(codings) > 1:
        return malformed("the length of its body is told twice")
    if codings and codings != [b"chunked"]:
        return RefusedError(
            501, "request", "only the transfer coding 'chunked' is known: send that, or Content-Length"
        )
    return None if _is_utf8(target) else malformed("its path is not UTF-8")


def _is_utf8(target: bytes) -> bool:
    if b"%" not in target:
        return True
    try:
        unquote_to_bytes(target.partition(b"?")[0]).decode()
    except UnicodeDecodeError:
        return False
    return True
