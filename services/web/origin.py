"""From where a request came: from this machine, through a proxy, from another web page."""

import ipaddress
import re
from functools import lru_cache

from services.web.headers import Headers, first, values

_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")
# A proxy adds one of these.
_FORWARDED = frozenset((b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"))


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


def came_from_here(server: tuple[str, int | None] | None, headers: Headers) -> bool:
    """Whether a request came in on loopback, names this machine, and nothing between says that it passed it on.

    Args:
        server: address at which it came in; of a socket of the file system it is a path.
    """
    forwarded = any(name in _FORWARDED for name, _ in headers)
    return server is not None and is_loopback(server[0]) and names_loopback(headers) and not forwarded


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
