"""Both clients by the same calls: a scenario is written once, and runs over either."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from taxohash.client import AsyncClient, Client

Making = Callable[..., Any]


class Awaited:
    """An AsyncClient whose methods are awaited, each in the one loop that all of them share."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._loop = asyncio.Runner()
        self._client = AsyncClient(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not inspect.iscoroutinefunction(found):
            return found
        return lambda *arguments, **options: self._loop.run(found(*arguments, **options))

    def close(self) -> None:
        self._loop.run(self._client.close())
        self._loop.close()


KINDS: dict[str, Making] = {"Client": Client, "AsyncClient": Awaited}


@contextmanager
def opened(kind: str, *arguments: Any, **options: Any) -> Iterator[Any]:
    """A client of a kind, closed at the end."""
    client = KINDS[kind](*arguments, **options)
    try:
        yield client
    finally:
        client.close()
