"""Redis's protocol, RESP3: commands to bytes, bytes to replies."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from services.codestore.connection.errors import ErrorReply, LinkError

Part = str | bytes | int | float

_DEEPEST = 32
_KEPT = 1 << 20  # bytes already read that the buffer may hold on to


class Push(list[Any]):
    """A message that nobody asked for, such as one of a channel."""


def packed(commands: Iterable[Sequence[Part]]) -> bytes:
    """The bytes of commands, one after the other."""
    pieces: list[bytes] = []
    for command in commands:
        pieces.append(b"*%d\r\n" % len(command))
        for part in command:
            data = part if isinstance(part, bytes) else str(part).encode()
            pieces += (b"$%d\r\n" % len(data), data, b"\r\n")
    return b"".join(pieces)


class Reader:
    """Reads replies of what `receive` returns: some bytes, about as many as it is told are missing.

    Text is bytes, a null None, a map a dict, a set a list, an error an ErrorReply. What `receive` raises is passed on; the
    reply can then be read again from its beginning.
    """

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._buffer = bytearray()
        self._at = 0

    def peek(self) -> int:
        """The first byte of the next reply."""
        while self._at == len(self._buffer):
            self._buffer += self._receive(1)
        return self._buffer[self._at]

    def reply(self) -> Any:
        """The next reply or push.

        Raises:
            LinkError: the bytes are none of a reply.
        """
        start = self._at
        try:
            value = self._value(0)
        except (ValueError, TypeError):
            # The bytes stay out of the message: an echo of the greeting would hold the password.
            raise LinkError(
                "what it sends is none of Redis's protocol",
                "correct the address, or see what changes the bytes on their way",
            ) from None
        except BaseException:
            self._at = start
            raise
        if self._at == len(self._buffer) or self._at > _KEPT:
            del self._buffer[: self._at]
            self._at = 0
        return value

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n", self._at)) < 0:
            self._buffer += self._receive(1)
        line = bytes(self._buffer[self._at : end])
        self._at = end + 2
        return line

    def _bytes(self, length: int) -> bytes:
        end = self._at + length
        while (missing := end + 2 - len(self._buffer)) > 0:
            self._buffer += self._receive(missing)
        with memoryview(self._buffer) as view:
            data, mark = bytes(view[self._at : end]), bytes(view[end : end + 2])
        if mark != b"\r\n":
            raise ValueError(mark)
        self._at = end + 2
        return data

    def _values(self, count: int, depth: int) -> list[Any]:
        return [self._value(depth + 1) for _ in range(count)]

    def _value(self, depth: int) -> Any:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return ErrorReply(rest.decode("utf-8", "replace"))
        if kind in b":(" and kind:
            return int(rest)
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        if kind == b",":
            return float(rest)
        length = int(rest)
        if length == -1:
            return None
        if length < 0 or depth > _DEEPEST:
            raise ValueError(length)
        if kind == b"$":
            return self._bytes(length)
        if kind == b"=":
            return self._bytes(length)[4:]
        if kind == b"!":
            return ErrorReply(self._bytes(length).decode("utf-8", "replace"))
        if kind in (b"*", b"~"):
            return self._values(length, depth)
        if kind == b">":
            return Push(self._values(length, depth))
        if kind == b"%":
            flat = self._values(2 * length, depth)
            return dict(zip(flat[::2], flat[1::2], strict=True))
        raise ValueError(kind)
