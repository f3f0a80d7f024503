"""One socket to one server: commands out, replies in."""

import math
import os
import ssl
from collections.abc import Sequence
from typing import Any

from services.codestore.connection.address import Address
from services.codestore.connection.deadline import Deadline
from services.codestore.connection.errors import (
    ErrorReply,
    LinkError,
    SilenceError,
    StoreUnavailableError,
    explained,
)
from services.codestore.connection.resp import Part, Push, Reader, packed
from services.codestore.connection.sockets import connected

_CONNECT_SECONDS = 5.0  # for the connection, TLS and the greeting together
_SENT_AT_ONCE = 1 << 18
_READ_AT_ONCE = 1 << 16
_MOST_READ_AT_ONCE = 1 << 22
_TLS_ALERT = 0x15

# Errors at the greeting that are known by a part of their text. No other is repeated: some servers quote the command
# they refuse, and with it the password.
_GREETINGS = {
    "NOAUTH": "NOAUTH it asks for a password",
    "WRONGPASS": "WRONGPASS it does not know this user and password, or the user is disabled",
    "DENIED": "DENIED it is in protected mode",
    "NOPERM": "NOPERM this account may not choose the database",
    "ERR max number of clients": "ERR it has as many clients as maxclients allows",
    "ERR DB index": "ERR it has no such database",
    "ERR SELECT is not allowed in cluster": "ERR a cluster has database 0 only",
    "ERR unknown command": "ERR unknown command HELLO",
}


class Session:
    """A server that was greeted. For one thread at a time, and for the process that opened it.

    Attributes:
        address: of the server.
        pid: process that opened it.
        server: what the server says of itself: b"server", b"version", b"mode", b"role".
        fresh: it was not used before.
        can_fsync: that the server can tell what is on disk was found out (see durability).

    Raises (every method): LinkError.
        StoreUnavailableError: the server does not let us in.
    """

    def __init__(self, address: Address, deadline: Deadline) -> None:
        deadline = deadline.within(_CONNECT_SECONDS)
        self.address = address
        self.pid = os.getpid()
        self.fresh = True
        self.can_fsync = False
        self._owed = 0
        self._deadline = deadline
        self._socket = connected(address, deadline)
        self._reader = Reader(self._receive)
        try:
            self.server = self._greet(deadline)
        except BaseException:
            self.close()
            raise

    @property
    def idle(self) -> bool:
        """All that was asked is answered, so that it can be used again."""
        return not self._owed

    def close(self) -> None:
        self._owed += 1
        self._socket.close()

    @property
    def certificate_expires(self) -> float:
        """Unix time at which the certificate expires that the server showed; infinite where it was not checked."""
        shown = self._socket.getpeercert() if isinstance(self._socket, ssl.SSLSocket) else None
        return float(ssl.cert_time_to_seconds(str(shown["notAfter"]))) if shown else math.inf

    def send(self, commands: Sequence[Sequence[Part]], deadline: Deadline) -> None:
        """Send commands; each gets a reply."""
        self._owed += len(commands)
        data = memoryview(packed(commands))
        try:
            while data:
                self._socket.settimeout(deadline.timeout())
                data = data[self._socket.send(data[:_SENT_AT_ONCE]) :]
        except TimeoutError:
            raise SilenceError("it does not take what is sent") from None
        except OSError as error:
            raise LinkError(error.strerror or "the connection broke") from None

    def receive(self, deadline: Deadline) -> Any:
        """The reply to the oldest command that has none yet."""
        while isinstance(reply := self.receive_any(deadline), Push):
            pass
        self._owed -= 1
        return reply

    def receive_any(self, deadline: Deadline) -> Any:
        """The next reply, which is not counted, or push."""
        self._deadline = deadline
        return self._reader.reply()

    def ask(self, *command: Part, deadline: Deadline) -> Any:
        """The reply to one command."""
        self.send([command], deadline)
        return self.receive(deadline)

    def _receive(self, missing: int) -> bytes:
        try:
            self._socket.settimeout(self._deadline.timeout())
            data = self._socket.recv(min(max(missing, _READ_AT_ONCE), _MOST_READ_AT_ONCE))
        except TimeoutError:
            raise SilenceError("no answer came in time") from None
        except OSError as error:
            raise LinkError(error.strerror or "the connection broke") from None
        if not data:
            raise LinkError("it closed the connection")
        return data

    def _greet(self, deadline: Deadline) -> dict[bytes, Any]:
        address = self.address
        hello: list[Part] = ["HELLO", 3]
        if address.user is not None or address.password is not None:
            hello += ["AUTH", address.user or b"default", address.password or b""]
        if address.client_name:
            hello += ["SETNAME", address.client_name]
        try:
            self.send([hello], deadline)
            if self._reader.peek() == _TLS_ALERT:
                raise LinkError("it answers in TLS", "use rediss://")
            server = self.receive(deadline)
        except LinkError as error:
            if address.tls or address.path or error.remedy != LinkError.remedy:
                raise
            raise type(error)(
                f"{error} when it was greeted", "see its log, or use rediss:// if it is a TLS port"
            ) from None
        if isinstance(server, ErrorReply):
            raise self._not_let_in(server)
        if not isinstance(server, dict) or server.get(b"proto") != 3:
            raise LinkError("it does not greet as Redis does", "correct the address")
        if server.get(b"mode") == b"sentinel":
            raise StoreUnavailableError(
                f"code store {address} is a sentinel: give the address of the primary, or of a service in front of it"
            )
        if address.database and server.get(b"mode") == b"cluster":
            raise self._not_let_in(ErrorReply("ERR SELECT is not allowed in cluster"))
        if address.database:
            selected = self.ask("SELECT", address.database, deadline=deadline)
            if isinstance(selected, ErrorReply):
                raise self._not_let_in(selected)
        return server

    def _not_let_in(self, reply: ErrorReply) -> Exception:
        texts = (text for start, text in _GREETINGS.items() if reply.text.startswith(start))
        return explained(ErrorReply(next(texts, "it refuses the greeting")), str(self.address))
