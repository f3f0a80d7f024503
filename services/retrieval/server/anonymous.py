"""Whom an address may be open to, before anything listens to it."""

import socket
from collections.abc import Mapping

from services import settings
from services.retrieval.server.listening import is_loopback, url_of
from taxohash.errors import TaxohashError


def refuse_open_door(listener: socket.socket, environment: Mapping[str, str]) -> None:
    """Make sure that an address which others reach is open to nobody by oversight.

    Raises:
        TaxohashError: it is.
    """
    named = settings.API_KEYS_FILE.of(environment) or settings.ALLOW_ANONYMOUS.of(environment)
    if not (named or is_loopback(listener)):
        raise TaxohashError(
            f"{url_of(listener)} would be open to everybody: name a file of API keys in TAXOHASH_API_KEYS_FILE,"
            " or what everybody may do in TAXOHASH_ALLOW_ANONYMOUS (search)"
        )
