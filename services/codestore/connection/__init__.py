"""The one way to the server: calls of the store's functions on one Redis or Valkey, or on a cluster.

    address     where the server is, and with which password
    sockets     a socket to it, by TCP, TLS or a path
    resp        the protocol's bytes
    session     one socket that was greeted, commands out and replies in
    topology    which server of a cluster holds a slot
    client      Connection: calls, sent where they belong and repeated until the deadline
    durability  how safe a write is when it is acknowledged
    promises    what the settings of the servers cannot promise
    subscription  messages of a channel

The client is the project's own, as redis-py bounds neither a call (only each read of the socket) nor a connection by
TLS, hides the codes of errors, repeats by rules of its own, and loses its way while slots of a cluster are moved.
"""

from services.codestore.connection.address import redacted
from services.codestore.connection.client import Call, Connection
from services.codestore.connection.durability import APPLIED, FSYNCED, Durability, replicated
from services.codestore.connection.errors import (
    FencedError,
    FullError,
    NoPermissionError,
    NotDurableError,
    OtherWriteError,
    StaleError,
    StoreUnavailableError,
    TryAgainError,
)
from services.codestore.connection.promises import promises
from services.codestore.connection.settings import fields
from services.codestore.connection.subscription import Subscription

__all__ = [
    "APPLIED",
    "FSYNCED",
    "Call",
    "Connection",
    "Durability",
    "FencedError",
    "FullError",
    "NoPermissionError",
    "NotDurableError",
    "OtherWriteError",
    "StaleError",
    "StoreUnavailableError",
    "Subscription",
    "TryAgainError",
    "fields",
    "promises",
    "redacted",
    "replicated",
]
