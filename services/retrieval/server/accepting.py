"""Taking connections from a listening socket, whatever there is a lack of."""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress

from services.retrieval.server import answers
from services.retrieval.server.connections import Connections
from services.retrieval.server.protocol import GuardedProtocol

_BURST = 64  # connections taken before other work has its turn
_PAUSE_SECONDS = 0.05  # when there is nothing to take them with
# Errors that belong to the connection that was to be taken, see accept(2).
_OF_THE_CLIENT = {
    errno.ECONNABORTED, errno.EINTR, errno.ENETDOWN, errno.EPROTO, errno.ENOPROTOOPT, errno.EHOSTDOWN,
    errno.EHOSTUNREACH, errno.EOPNOTSUPP, errno.ENETUNREACH, errno.EPERM,
}  # fmt: skip


class Acceptor:
    """Takes connections as long as it is not stopped.

    The loops' own servers give up for a second when descriptors run out, and go on taking while any wait.
    """

    def __init__(
        self,
        listener: socket.socket,
        connections: Connections,
        protocol: Callable[[], GuardedProtocol],
        generation: Callable[[], str],
    ) -> None:
        """Begin to take them.

        Args:
            protocol: makes that of a new one.
            generation: the one that is served; empty: none.
        """
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._connections = connections
        self._protocol = protocol
        self._generation = generation
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._begin()

    def stop(self) -> None:
        """Take what has been connected by now, and close the socket: no other process must hold it, or clients wait in vain."""
        while self._take():
            pass
        if self._waiting:
            self._waiting.cancel()
        else:
            self._loop.remove_reader(self._listener)
        self._listener.close()

    def _begin(self) -> None:
        self._waiting = None
        self._loop.add_reader(self._listener, self._take_some)

    def _take_some(self) -> None:
        for _ in range(_BURST):
            if not self._take():
                return

    def _take(self) -> bool:
        """Take one; False: none was there, or none can be taken for now."""
        try:
            client, _ = self._listener.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _OF_THE_CLIENT:
                return True
            # No descriptor, no memory: somebody makes way, which takes a moment.
            self._connections.end_one()
            self._pause()
            return False
        if not self._connections.make_room():
            _turn_away(client, self._generation())
            return True
        task = self._loop.create_task(self._serve(client, self._protocol()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def _pause(self) -> None:
        if self._waiting is None:
            self._loop.remove_reader(self._listener)
            self._waiting = self._loop.call_later(_PAUSE_SECONDS, self._begin)

    async def _serve(self, client: socket.socket, protocol: GuardedProtocol) -> None:
        try:
            client.setblocking(False)
            client.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
            )  # asyncio forgets it where it was not told of TCP
            await self._loop.connect_accepted_socket(lambda: protocol, client)
        except OSError:  # it is gone already
            self._connections.leave(protocol)
            client.close()


def _turn_away(client: socket.socket, generation: str) -> None:
    """Say that there is no place, if it can be said at once."""
    with client, suppress(OSError):
        client.setblocking(False)
        client.send(answers.written(answers.full(), [], generation))
