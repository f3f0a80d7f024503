"""A store that a follower's threads can read: the model of the protocol's tests behind the calls of a Source."""

import queue
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.codestore.connection import StaleError
from services.codestore.follower import protocol
from services.codestore.follower.errors import GoneError, TrimmedError
from services.codestore.follower.protocol import Changes, Mark, Page
from services.codestore.records import Token
from taxohash.errors import TaxohashError
from tests.support.follower_model import ModelServer


class ModelStore:
    """A collection that is written and read by threads.

    Attributes:
        down: why every call fails, "" where none does.
        deaf: hints are lost.
        calls: told the generation before each call, "" where there is none; it may raise.
        leases: generation -> seconds of each lease that was taken, 0 where it was given back.
    """

    def __init__(self, segments: int, seed: int = 0) -> None:
        self.server = ModelServer(segments, random.Random(seed))
        self.incarnation = "1" * 32
        self.down = ""
        self.deaf = False
        self.calls: Callable[[str], None] = lambda generation: None
        self.made = 0
        self.leases: dict[str, list[float]] = {}
        self.listeners: list[queue.SimpleQueue[bytes]] = []
        self._lock = threading.Lock()

    def token(self, positions: Mapping[int, int]) -> Token:
        """Of these positions."""
        return Token(self.incarnation[:8], dict(positions))

    def write(self, times: int = 1) -> Token:
        """Write at random. Returns the token of all of it."""
        token: dict[int, int] = {}
        for _ in range(times):
            with self._lock:
                segment, position = self.server.write()
            token[segment] = position
            self.publish(f"{segment} {position}".encode())
        return self.token(token)

    def publish(self, message: bytes) -> None:
        """Tell all listeners."""
        if not self.deaf and not self.down:
            for listener in self.listeners:
                listener.put(message)

    def rows(self) -> list[dict[int, str]]:
        """All items, by segment and row."""
        with self._lock:
            return self.server.rows()

    def wipe(self, segments: int) -> None:
        """Make the collection anew, without items."""
        with self._lock:
            self.server = ModelServer(segments, random.Random(1))
            self.incarnation = "2" * 32

    def trim(self) -> None:
        """Forget some entries."""
        with self._lock:
            self.server.trim()

    def source(self, generation: str = "g1") -> "ModelSource":
        """To be given to a follower."""
        return ModelSource(self, generation, len(self.server.segments), self.server)

    def ask(self, source: "ModelSource", request: Page | Changes) -> Any:
        """The answer to a request.

        Raises: as a Source.
        """
        self.check(source.generation)
        with self._lock:
            self.made += 1
            known = source.server is self.server
            answer = self.server.answer(request, protocol) if known else protocol.Stale()
        match answer:
            case protocol.Trimmed():
                raise TrimmedError("trimmed")
            case protocol.Gone():
                raise GoneError("gone")
            case protocol.Stale():
                raise StaleError("stale")
        return answer

    def check(self, generation: str = "") -> None:
        """Raise where the store is down."""
        self.calls(generation)
        if self.down:
            raise TaxohashError(self.down)


class ModelSource:
    """A Source of a ModelStore."""

    def __init__(self, store: ModelStore, generation: str, segments: int, server: ModelServer) -> None:
        self.store, self.generation, self.segments, self.server = store, generation, segments, server
        self.incarnation = store.incarnation

    def page(self, segment: int, first_block: int, blocks: int) -> Any:
        return self.store.ask(self, Page(0, segment, first_block, blocks)).columns

    def changes(self, segment: int, since: int, seen: Sequence[Mark]) -> Any:
        return self.store.ask(self, Changes(0, segment, since, tuple(seen)))

    def subscribe(self) -> "ModelSubscription":
        return ModelSubscription(self.store)

    def lease(self, seconds: float) -> None:
        self.store.check(self.generation)
        self.store.leases.setdefault(self.generation, []).append(seconds)

    def release(self) -> None:
        self.lease(0)


class ModelSubscription:
    """The messages of a ModelStore."""

    def __init__(self, store: ModelStore) -> None:
        self.trouble = ""
        self._store = store
        self._messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        store.listeners.append(self._messages)

    def wait(self, seconds: float) -> list[bytes]:
        self.trouble = self._store.down
        messages = []
        try:
            messages.append(self._messages.get(timeout=seconds))
            while True:
                messages.append(self._messages.get_nowait())
        except queue.Empty:
            return messages

    def close(self) -> None:
        self._store.listeners.remove(self._messages)
