"""The address at which is served."""

import socket

from taxohash.errors import TaxohashError

_BACKLOG = 4096  # connections that wait while there is no worker, or it is busy


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        port: 0 for a free one.

    Raises:
        TaxohashError: there is no such address, or it cannot be used.
    """
    if not 0 <= port <= 65535:
        raise TaxohashError(f"port {port} does not exist: choose 1 to 65535, or 0 for a free one")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise TaxohashError(
            f"host {host[:80]!r} is no address of this machine ({_reason(error)}): choose 127.0.0.1, or 0.0.0.0 for all"
        ) from None
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise TaxohashError(
            f"port {port} of {host} cannot be used ({error.strerror}): choose another, or 0 for a free one"
        ) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is no name"
