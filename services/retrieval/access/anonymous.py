"""What is open without a key.

Without keys a service on loopback is for who works on that machine: searches and writes are open. Two others reach it
there: web pages in a browser on the machine, by a request from another site or by a name of their own that they let
point to 127.0.0.1 (DNS rebinding), and clients of a proxy on the machine. So such a request has to name a loopback host,
and must not have come through a proxy. TAXOHASH_ALLOW_ANONYMOUS says instead what is open to everybody, anywhere.
"""

from services.retrieval.access.roles import Role
from services.retrieval.settings import Settings
from services.web.headers import Headers
from services.web.origin import came_from_here, is_loopback
from taxohash.errors import TaxohashError

_LOCAL: Role = "write"


def refuse_open(host: str, settings: Settings) -> None:
    """Make sure that a service without keys is open to its own machine only, unless somebody said otherwise.

    Args:
        host: address on which it is to listen.

    Raises:
        TaxohashError: it would be open to others.
    """
    if settings.api_keys_file or settings.allow_anonymous or host == "localhost" or is_loopback(host):
        return
    raise TaxohashError(
        f"without API keys {host} is not served: make keys with `taxohash keys add` and name their file in "
        "TAXOHASH_API_KEYS_FILE, or say in TAXOHASH_ALLOW_ANONYMOUS what is open to everybody"
    )


def open_to(
    server: tuple[str, int | None] | None, headers: Headers, keyed: bool, allowed: str
) -> Role | None:
    """What somebody without a key may do; None: nothing.

    Args:
        server: address at which the request came in; of a socket of the file system it is a path.
        keyed: the service has keys.
        allowed: TAXOHASH_ALLOW_ANONYMOUS.
    """
    if allowed:
        return "write" if allowed == "write" else "search"
    return _LOCAL if not keyed and came_from_here(server, headers) else None
