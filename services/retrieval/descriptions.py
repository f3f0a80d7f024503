"""What is told of all items together: made by one thread, at most every few seconds, and kept as bytes.

So neither a large taxonomy nor many who ask for it take anything from those who search.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from services.retrieval.workers import Workers

if TYPE_CHECKING:
    from services.retrieval.following import Served

_SECONDS = 5.0  # it may be so old
_WAITING = 256  # requests that wait for it
_AT_ONCE = 1000  # entries of a list that are written without another thread's turn


class Descriptions:
    """Answers as bytes."""

    def __init__(self) -> None:
        self._workers = Workers("description", 1, _WAITING)
        self._kept: dict[str, tuple[Served, float, bytes]] = {}

    async def told(self, name: str, served: "Served", describe: Callable[[], dict[str, Any]]) -> bytes:
        """What `describe` says of a generation, as JSON; that of a moment ago, if it was of the same.

        Raises:
            RefusedError: 429, too many ask.
        """
        if (told := self._fresh(name, served)) is not None:
            return told
        return await self._workers.run(lambda: self._made(name, served, describe))

    def close(self) -> None:
        """Begin nothing more."""
        self._workers.close()

    def _fresh(self, name: str, served: "Served") -> bytes | None:
        of, made, told = self._kept.get(name, (None, 0.0, b""))
        return told if of is served and time.monotonic() < made + _SECONDS else None

    def _made(self, name: str, served: "Served", describe: Callable[[], dict[str, Any]]) -> bytes:
        if (told := self._fresh(name, served)) is not None:  # while this waited
            return told
        made = time.monotonic()
        told = b"".join(written(describe()))
        self._kept[name] = (served, made, told)
        return told


def written(described: dict[str, Any]) -> Iterator[bytes]:
    """An object in JSON, piece by piece: while a piece is written, no other thread of the process runs."""
    between = "{"
    for name, value in described.items():
        yield f"{between}{json.dumps(name)}:".encode()
        between = ","
        if isinstance(value, list):
            for start in range(0, len(value), _AT_ONCE):
                yield b"," if start else b"["
                yield _json(value[start : start + _AT_ONCE])[1:-1]
            yield b"]" if value else b"[]"
        else:
            yield _json(value)
    yield b"}" if described else b"{}"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
