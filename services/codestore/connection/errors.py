"""What can go wrong between client and server, and the remedy of each."""

import re
from dataclasses import dataclass

from taxohash.errors import TaxohashError, UnavailableError
from taxohash.runtime.terminal import printable


class StoreUnavailableError(UnavailableError):
    """The server cannot be reached or cannot take the command now: nothing is wrong with the input."""


class TryAgainError(StoreUnavailableError):
    """A slot is being moved, a server fails over or loads its data: the same call will be taken later."""


class NotDurableError(StoreUnavailableError):
    """The write is applied, but not, or not yet, as durable as was asked."""


class NoPermissionError(StoreUnavailableError):
    """The account of the address may not do this."""


class FullError(StoreUnavailableError):
    """The server has no room for more: its memory or its disk is full."""


class OtherWriteError(TaxohashError):
    """A write of this name was made already, and was another one: nothing of this one was applied."""


class StaleError(TaxohashError):
    """The collection is not the one that was opened: it was removed, and perhaps made anew."""


class FencedError(TaxohashError):
    """Another process does by now what this one was to do alone: nothing of this write was applied."""


class LinkError(Exception):
    """A socket is of no more use. It never leaves this package.

    Attributes:
        remedy: what to do about it.
    """

    remedy = "start it, or correct the address"

    def __init__(self, text: str, remedy: str = remedy) -> None:
        super().__init__(text)
        self.remedy = remedy


class SilenceError(LinkError):
    """No answer came in time."""


@dataclass(frozen=True)
class ErrorReply:
    """A server's error reply; its first word is the code."""

    text: str

    @property
    def code(self) -> str:
        if _NO_RIGHT.search(self.text):
            return "NOPERM"
        return self.text.partition(" ")[0]

    @property
    def function_is_missing(self) -> bool:
        return self.text.lower().startswith("err function not found")


# A command that a function calls; the last is of Redis 7.0.
_NO_RIGHT = re.compile("ACL failure in script|has no permissions|user executing the script can't")

# Of a state that passes: the call is repeated until the deadline.
TRANSIENT = {
    "ASK": "a slot is being moved: try again",
    "BUSY": "a script runs long on it: try again, or stop that script",
    "CLUSTERDOWN": "the cluster fails over or lacks servers: try again, or see its log",
    "LOADING": "it reads its data from disk: try again later",
    "MASTERDOWN": "it is a replica without its primary: try again, or connect to the primary",
    "MOVED": "slots are being moved: try again",
    "NOREPLICAS": "wait for its replicas and try again, or lower min-replicas-to-write",
    "TRYAGAIN": "a slot is being moved: try again",
}
# What our own functions refuse with.
REFUSALS: dict[str, type[TaxohashError]] = {
    "FENCED": FencedError,
    "OTHER": OtherWriteError,
    "REFUSED": TaxohashError,
    "STALE": StaleError,
}
# Of those that last until somebody does something, what callers tell apart.
_KINDS: dict[str, type[StoreUnavailableError]] = {
    "MISCONF": FullError,
    "NOPERM": NoPermissionError,
    "OOM": FullError,
    "UNLOADED": NoPermissionError,
}
_REMEDIES = {
    "DENIED": "connect from its own host, or give it passwords and set protected-mode no",
    "MISCONF": "free the disk that holds its data",
    "NOAUTH": "give the right user and password in the address",
    "NOPERM": "connect with an account that may do this, or give it the right",
    "OOM": "free memory with `taxohash store gc`, or raise maxmemory",
    "READONLY": "connect to the primary, this is a replica",
    "UNLOADED": "connect a writer or admin once",
    "WRONGPASS": "give the right user and password",
}


def explained(reply: ErrorReply, url: str) -> TaxohashError:
    """The error to raise for an error reply of the server at `url`."""
    code, _, rest = reply.text.partition(" ")
    if refusal := REFUSALS.get(code):
        return refusal(rest)
    text = printable(" ".join(reply.text.split()))[:200]
    said = f"code store {url} does not answer as it should ({text})"
    if remedy := TRANSIENT.get(reply.code):
        return TryAgainError(f"{said}: {remedy}")
    if reply.function_is_missing:
        return TryAgainError(f"{said}: its functions are removed again and again, stop what does so")
    if text.lower().startswith("err unknown command"):
        return StoreUnavailableError(f"{said}: use Redis 7.0 or newer, or Valkey")
    kind = _KINDS.get(reply.code, StoreUnavailableError)
    return kind(f"{said}: {_REMEDIES.get(reply.code, 'see the log of the server')}")
