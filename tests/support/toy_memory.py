"""A server that knows what the trigger's memory asks of one, in this process."""

import threading
from typing import Any

from services.trigger.state import Memory


class ToyServer:
    """Keeps hashes, and swaps as the memory's script does.

    Attributes:
        writes: how many there were.
        loses: of so many swaps from now on the answer gets lost, so that they are made twice, as the real connection does.
    """

    url = "toy://"

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, bytes]] = {}
        self.writes = 0
        self.loses = 0
        self._lock = threading.Lock()

    def command(self, *parts: Any, key: str | None = None) -> Any:
        """The reply to one command."""
        with self._lock:
            if parts[0] == "HGET":
                return self.hashes.get(parts[1], {}).get(parts[2])
            if parts[0] == "HMGET":
                return [self.hashes.get(parts[1], {}).get(name) for name in parts[2:]]
            assert parts[0] == "EVAL"
            if self.loses:
                self.loses -= 1
                self._swap(*parts[3:])
            return self._swap(*parts[3:])

    def _swap(self, key: str, version: int, text: str) -> int:
        own = self.hashes.setdefault(key, {})
        if int(own.get("version", 0)) != version:
            return 0
        own.update(version=b"%d" % (version + 1), state=text.encode())
        self.writes += 1
        return 1


def toy_memory(collection: str = "c") -> tuple[ToyServer, Memory]:
    """An empty memory, and where it lies."""
    server: Any = ToyServer()
    return server, Memory(server, collection)
