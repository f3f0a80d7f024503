"""The messages of a channel."""

import os
import time
from collections.abc import Callable, Sequence

from services.codestore.connection.address import Address
from services.codestore.connection.deadline import Deadline
from services.codestore.connection.errors import ErrorReply, LinkError, SilenceError, explained
from services.codestore.connection.resp import Push
from services.codestore.connection.session import Session
from taxohash.errors import TaxohashError

_INSTANT = 0.001


class Subscription:
    """Listens to a channel; connects by itself, and again when the connection breaks. For one thread.

    What is published while there is no connection is lost: a message is a hint to look, its absence means nothing.

    Attributes:
        trouble: why there is no connection, in one line; "" while there is one.
    """

    def __init__(self, servers: Callable[[], Sequence[Address]], channel: str) -> None:
        self.trouble = ""
        self._servers = servers
        self._channel = channel
        self._session: Session | None = None
        self._tried = 0

    def wait(self, seconds: float) -> list[bytes]:
        """Messages, as soon as there are some; none if none comes within so many seconds.

        A connection must come about within them, too.
        """
        deadline = Deadline(max(seconds, _INSTANT))
        messages: list[bytes] = []
        try:
            session = self._connected(deadline)
            while deadline.left:
                pushed = session.receive_any(deadline)
                if isinstance(pushed, Push) and pushed[:1] == [b"message"]:
                    if not messages:  # then what is there already; others may go on coming for ever
                        deadline = deadline.within(_INSTANT)
                    messages.append(pushed[2])
                elif isinstance(pushed, ErrorReply):
                    raise explained(pushed, str(session.address))
        except SilenceError as error:
            if self._session is None:
                self.trouble = str(error)
        except (LinkError, TaxohashError) as error:
            self.close()
            self.trouble = str(error)
            if not messages:
                time.sleep(deadline.left)
        return messages

    def close(self) -> None:
        """Stop listening; `wait` would begin again."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _connected(self, deadline: Deadline) -> Session:
        if self._session is not None and self._session.pid != os.getpid():
            self.close()  # of the parent: two readers would take each other's bytes
        if self._session is None:
            servers = self._servers()
            self._tried += 1
            self._session = Session(servers[self._tried % len(servers)], deadline)
            self._session.send([("SUBSCRIBE", self._channel)], deadline)
            self.trouble = ""
        return self._session
