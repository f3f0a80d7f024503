"""What waits for a thread: so many things at most, and so many bytes of them."""

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Waiting(Generic[T]):
    """First come, first served. For any number of threads."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._things: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, thing: T, size: int) -> bool:
        """Let one wait; False where there is no room, or nobody takes it any more. Waits for nothing."""
        with self._changed:
            if self._closed or len(self._things) >= self._most or self._bytes + size > self._most_bytes:
                return False
            self._things.append((thing, size))
            self._bytes += size
            self._changed.notify_all()
            return True

    def take(self, seconds: float) -> T | None:
        """The next, waiting so long for one; None where none came, at once where none can any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._things or self._closed, seconds)
            if not self._things:
                return None
            thing, size = self._things.popleft()
            self._bytes -= size
            return thing

    def rest(self, seconds: float) -> None:
        """Wait so long, or until it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)

    def close(self) -> None:
        """Take nothing more; what waits is still given."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> int:
        """Forget what waits; how many things."""
        with self._changed:
            left, self._bytes = len(self._things), 0
            self._things.clear()
            return left

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken."""
        return self._closed
