"""Questions asked again and again beside an attack, each by a connection of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.attack.load import Sample
from tests.attack.wire import Address, Client, get


@dataclass(frozen=True)
class Probed:
    """A path, and what became of a question for it."""

    path: str
    sample: Sample


@asynccontextmanager
async def probing(
    address: Address, paths: Sequence[str], every: float, deadline: float
) -> AsyncIterator[list[Probed]]:
    """Ask for each path every so many seconds while the block runs; those under way are waited for."""
    client, found, over = Client(address, deadline, keep=False), list[Probed](), asyncio.Event()

    async def one(path: str, due: float) -> None:
        answer = await client.ask(get(path), due)
        found.append(Probed(path, Sample(due, answer.seconds, answer.outcome)))

    async def ask(tasks: asyncio.TaskGroup) -> None:
        due = time.monotonic()
        while not over.is_set():
            for path in paths:
                tasks.create_task(one(path, due))
            due += every
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask(tasks))
        try:
            yield found
        finally:
            over.set()
