"""Searches without pause, whose answers are kept to be looked through afterwards."""

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.attack.wire import Client, address_of, run, search
from tests.loop.catalogue import Query

DEADLINE = 30.0  # seconds that a search waits for its answer
K = 5


@dataclass(frozen=True)
class Sample:
    """One search: what was searched for, and what came back.

    Attributes:
        outcome: the status, or why there is no answer.
        due: when it was sent, of time.monotonic.
        seconds: until the answer was there.
    """

    query: Query
    outcome: str
    body: bytes
    due: float = 0.0
    seconds: float = 0.0

    @property
    def generation(self) -> str | None:
        """That answered; None where there is no answer."""
        return json.loads(self.body)["generation"] if self.outcome == "200" else None


class Load:
    """Searches at a fixed rate, whatever becomes of those before; a context manager.

    Attributes:
        samples: those that have ended.
    """

    def __init__(self, url: str, queries: Sequence[Query], rate: float) -> None:
        """
        Args:
            queries: asked in turn, until `show` gives others.
            rate: searches a second.
        """
        self.samples: list[Sample] = []
        self._url, self._rate = url, rate
        self._queries = queries
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: run(self._search), name="load")

    def show(self, queries: Sequence[Query]) -> None:
        """Ask these from now on."""
        self._queries = queries

    def serving(self) -> str | None:
        """The generation of the newest answer."""
        return next((found for sample in reversed(self.samples) if (found := sample.generation)), None)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    async def _search(self) -> None:
        client = Client(address_of(self._url), DEADLINE)

        async def one(query: Query, due: float) -> None:
            answer = await client.ask(search(query.picture, K), due)
            self.samples.append(Sample(query, answer.outcome, answer.body, due, answer.seconds))

        begun, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as tasks:
            while not self._ended.is_set():
                due = begun + number / self._rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                queries = self._queries
                tasks.create_task(one(queries[number % len(queries)], due))
                number += 1
        client.close()
