"""Names and numbers of writes, by which a segment knows one that is sent again."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from taxohash.errors import TaxohashError

ROUNDS = 4_096  # numbers of one write: a batch of many items is written in rounds


@dataclass(frozen=True)
class WriteId:
    """A name for a write that the caller can give again, with a number that rises with each write of that name.

    Attributes:
        writer: up to 100 characters.
        number: 0 to 2^40; with the rounds of a batch it stays exact in a double.
    """

    writer: str
    number: int

    def __post_init__(self) -> None:
        if (
            not isinstance(self.writer, str)
            or not 1 <= len(self.writer) <= 100
            or not self.writer.isprintable()
        ):
            raise TaxohashError(f"writer {str(self.writer)[:60]!r} is no name: use 1 to 100 characters")
        if isinstance(self.number, bool) or not isinstance(self.number, int) or not 0 <= self.number < 2**53:
            raise TaxohashError(f"write {self.number!r} of writer {self.writer!r} is no number: count from 0")


class Lanes:
    """Writers of this process. A lane is lent to one write at a time, so that its numbers reach a segment in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[WriteId] = []

    @contextmanager
    def lent(self, given: WriteId | None = None) -> Iterator[Iterator[WriteId]]:
        """The numbers of one write, round by round; of a lane of our own where the caller names none."""
        if given is not None:
            yield (WriteId(f"named {given.writer}", given.number * ROUNDS + i) for i in range(ROUNDS))
            return
        with self._lock:
            lane = self._free.pop() if self._free else WriteId(secrets.token_hex(8), 0)
        used = [lane.number]

        def numbers() -> Iterator[WriteId]:
            while True:
                used[0] += 1
                yield WriteId(lane.writer, used[0])

        yield numbers()
        with self._lock:  # after a failure the lane is left: a call of it may still be on its way
            self._free.append(WriteId(lane.writer, used[0]))
