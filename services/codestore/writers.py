"""Names and numbers of writes, by which a segment knows one that is sent again."""

import secrets
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from taxohash.errors import TaxohashError


@dataclass(frozen=True)
class WriteId:
    """A name for a write that the caller can give again, with the same batch, and a number that rises with each write of that name.

    Attributes:
        writer: up to 100 characters.
        number: from 0 to below 2^53, which is exact in a double.
        batch: what tells its batch from another, where what is written may be made anew when it is given again; all that is
            written by default.
    """

    writer: str
    number: int
    batch: bytes = b""

    def __post_init__(self) -> None:
        if (
            not isinstance(self.writer, str)
            or not 1 <= len(self.writer) <= 100
            or not self.writer.isprintable()
        ):
            raise TaxohashError(f"writer {str(self.writer)[:60]!r} is no name: use 1 to 100 characters")
        if isinstance(self.number, bool) or not isinstance(self.number, int) or not 0 <= self.number < 2**53:
            raise TaxohashError(
                f"write {self.number!r} of writer {self.writer!r} is no number: give 0 to 2^53 - 1"
            )


@dataclass(frozen=True)
class Turn:
    """One round of a write: a segment is written at most once in it.

    Attributes:
        writer: as segments know it.
        named: by the caller, who may give the name to another batch by mistake: so segments are given a digest.
        batch: what that is of, instead of all that is written.
    """

    writer: str
    number: int
    named: bool = False
    batch: bytes = b""

    def number_of(self, function: str, arguments: Sequence[str | bytes | int]) -> str:
        """What is sent to a segment as the number of this write."""
        if not self.named:
            return str(self.number)
        digest = zlib.crc32(function.encode())
        for part in [self.batch] if self.batch else arguments:
            digest = zlib.crc32(part if isinstance(part, bytes) else str(part).encode(), digest)
        return f"{self.number}:{digest:08x}"


class Lanes:
    """Writers of this process. A lane is lent to one write at a time, so that its numbers reach a segment in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[Turn] = []  # the last turn of each lane that nobody uses

    @contextmanager
    def lent(self, given: WriteId | None = None) -> Iterator[Iterator[Turn]]:
        """The turns of one write, round by round; of a lane of our own where the caller names none.

        Each round of a named write is a writer of its own, so that all of them are known when the write is sent again.
        """
        if given is not None:
            if not isinstance(given, WriteId):
                raise TaxohashError(f"write {str(given)[:60]!r} is a {type(given).__name__}: give a WriteId")
            yield (Turn(f"{number} {given.writer}", given.number, True, given.batch) for number in count())
            return
        with self._lock:
            last = self._free.pop() if self._free else Turn(secrets.token_hex(8), 0)
        turns = self._numbered(last)
        yield turns
        with self._lock:  # after a failure the lane is left: a call of it may still be on its way
            self._free.append(next(turns))

    @staticmethod
    def _numbered(last: Turn) -> Iterator[Turn]:
        for number in count(last.number + 1):
            yield Turn(last.writer, number)
