"""What is open without a key.

Without keys a service on loopback is for who works on that machine: searches and writes are open. Two others reach it
there: web pages in a browser on the machine, by a request from another site or by a name of their own that they let
point to 127.0.0.1 (DNS rebinding), and clients of a proxy on the machine. So such a request has to name a loopback host,
and must not have come through a proxy. TAXOHASH_ALLOW_ANONYMOUS says instead what is open to everybody, anywhere.
"""

import ipaddress
import re
from functools import lru_cache

from services.retrieval.access.headers import Headers, first, values
from services.retrieval.access.roles import Role
from services.retrieval.settings import Settings
from taxohash.errors import TaxohashError

_LOCAL: Role = "write"
_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")
# A proxy adds one of these.
_FORWARDED = frozenset((b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"))


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
    if keyed or server is None or not is_loopback(server[0]) or not names_loopback(headers):
        return None
    return None if any(name in _FORWARDED for name, _ in headers) else _LOCAL


@lru_cache(64)
def is_loopback(address: str) -> bool:
    """Whether an IP address is of this machine only; a name is none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def names_loopback(headers: Headers) -> bool:
    """Whether a request names this machine, in its only Host header."""
    hosts = values(headers, b"host")
    match = _AUTHORITY.fullmatch(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
    if match is None:
        return False
    host = match["host"].strip("[]").lower()
    return host == "localhost" or is_loopback(host)


def from_another_site(headers: Headers, listed: frozenset[str]) -> bool:
    """Whether a browser sent it for a page of another origin that is not listed.

    Sec-Fetch-Site is a browser's own word. Older ones send an Origin with what is not a GET, which then has to be the host
    that was asked.
    """
    origins = values(headers, b"origin")
    if origins and origins[0].decode("latin-1") in listed:
        return False
    site = first(headers, b"sec-fetch-site")
    if site is not None:
        return site not in (b"same-origin", b"none")
    if not origins:
        return False
    return origins[0].lower().partition(b"://")[2] != (first(headers, b"host") or b"").lower()
