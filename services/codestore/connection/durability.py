"""How safe a write is when it is acknowledged."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from services.codestore.connection.deadline import Deadline
from services.codestore.connection.errors import ErrorReply, NotDurableError, StoreUnavailableError
from services.codestore.connection.resp import Part
from services.codestore.connection.session import Session
from services.codestore.connection.settings import fields, has_waitaof, setting
from taxohash.errors import TaxohashError

_MOST_REPLICAS = 100
_ANSWER_SECONDS = 0.2  # servers notice every 100 ms that a wait is over


@dataclass(frozen=True)
class Durability:
    """What an acknowledged write has reached: `applied` by the server, `fsynced` to its disk, `replicated(n)`.

    A server answers for the writes of the connection that asks. So a function that is called again with a (writer, seq)
    it knows writes that entry once more: the answer then covers the first call, whichever connection brought it.
    """

    kind: Literal["applied", "fsynced", "replicated"]
    replicas: int = 0

    def __str__(self) -> str:
        return f"replicated({self.replicas})" if self.replicas else self.kind

    @classmethod
    def parse(cls, text: str) -> "Durability":
        """Read "applied", "fsynced" or "replicated(n)".

        Raises:
            TaxohashError: it is none of them.
        """
        if text == "applied":
            return APPLIED
        if text == "fsynced":
            return FSYNCED
        if isinstance(text, str) and (found := re.fullmatch(r"replicated\(([0-9]{1,3})\)", text)):
            return replicated(int(found[1]))
        raise TaxohashError(f"durability {text!r} is none: give applied, fsynced or replicated(n)")

    def check(self, session: Session, deadline: Deadline) -> None:
        """Return if the server can tell when a write is as durable as that; asked once a session.

        Raises:
            StoreUnavailableError: it cannot.
        """
        if self.kind != "fsynced" or session.can_fsync:
            return
        settings = fields(session.ask("INFO", "persistence", deadline=deadline))
        if settings.get("loading", "0") != "0":
            return  # the append-only file is off until it is read; the calls will be told so, and come again
        if settings.get("aof_enabled") == "0":
            raise StoreUnavailableError(
                f"code store {session.address} keeps no append-only file, so no write is fsynced:"
                " set appendonly yes, or ask for applied"
            )
        if not has_waitaof(session):
            policy = setting(session.ask("CONFIG", "GET", "appendfsync", deadline=deadline))
            if policy != "always":
                raise StoreUnavailableError(
                    f"code store {session.address} cannot tell what is fsynced (no WAITAOF, appendfsync {policy}):"
                    " set appendfsync always, use Redis 7.2 or newer, or Valkey, or ask for applied"
                )
        session.can_fsync = True

    def question(self, session: Session, deadline: Deadline) -> tuple[Part, ...] | None:
        """The command that waits until the writes of the session are that durable; None if they are at once."""
        milliseconds = max(1, int((deadline.left - _ANSWER_SECONDS) * 1000))  # 0 would be for ever
        if self.kind == "replicated":
            return ("WAIT", self.replicas, milliseconds)
        if self.kind == "fsynced" and has_waitaof(session):
            return ("WAITAOF", 1, 0, milliseconds)
        return None

    def require(self, reply: Any, session: Session) -> None:
        """Return if the answer to the question says yes.

        Raises:
            NotDurableError: it does not.
        """
        if self.kind == "replicated":
            reached = isinstance(reply, int) and reply >= self.replicas
            how = f"{reply} replicas have it" if isinstance(reply, int) else "it does not say"
        else:
            reached = isinstance(reply, list) and bool(reply) and reply[0] >= 1
            how = "it is not on disk" if isinstance(reply, list) else "it does not say"
        if isinstance(reply, ErrorReply):
            how = reply.text[:200]
        if not reached:
            raise NotDurableError(
                f"code store {session.address} has applied the write, but it is not {self} in time ({how}):"
                " repeat it, or ask for less"
            )


APPLIED = Durability("applied")
FSYNCED = Durability("fsynced")


def replicated(replicas: int) -> Durability:
    """Durability of a write that so many replicas have.

    Raises:
        TaxohashError: that is no number from 1 to 100.
    """
    if isinstance(replicas, bool) or not isinstance(replicas, int) or not 1 <= replicas <= _MOST_REPLICAS:
        raise TaxohashError(f"a write cannot be replicated to {replicas!r}: give 1 to {_MOST_REPLICAS}")
    return Durability("replicated", replicas)
