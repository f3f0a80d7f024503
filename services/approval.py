"""Links by which a person approves a generation: signed, of one generation, and good for a time.

Whoever has such a link may approve, so it goes only to those who may: in the notification of a run that awaits approval.
"""

import hashlib
import hmac
from urllib.parse import urlencode

from taxohash.errors import TaxohashError

LASTS = 7 * 86_400.0  # seconds
PATH = "/approve"


def link(base: str, collection: str, generation: str, secret: str, expires: float) -> str:
    """The address of the page on which a generation is approved.

    Args:
        base: address of the trigger, such as https://trigger.example.
        expires: Unix time in seconds.
    """
    until = int(expires)
    signed = {"collection": collection, "generation": generation, "expires": until}
    query = urlencode({**signed, "signature": _signature(collection, generation, until, secret)})
    return f"{base.rstrip('/')}{PATH}?{query}"


def check(collection: str, generation: str, expires: str, signature: str, secret: str, now: float) -> None:
    """Make sure that a link is ours, and in force.

    Args:
        collection, generation, expires, signature: as its query has them.
        now: Unix time in seconds.

    Raises:
        TaxohashError: it is not.
    """
    until = int(expires) if expires.isascii() and expires.isdigit() and len(expires) < 16 else -1
    right = _signature(collection, generation, until, secret)
    if until < 0 or not hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace")):
        raise TaxohashError(
            "this link was not made here, or was cut: use it whole, as the notification has it"
        )
    if now >= until:
        raise TaxohashError(
            f"this link has expired: `taxohash pipeline approve {generation}` publishes the generation too"
        )


def _signature(collection: str, generation: str, expires: int, secret: str) -> str:
    """HMAC-SHA256, of the parts with their lengths, so that no two links have one text."""
    parts = (collection, generation, str(expires))
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.new(secret.encode(), text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
