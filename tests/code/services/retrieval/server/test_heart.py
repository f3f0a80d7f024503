"""The worker asks its own application whether it is ready."""

import asyncio
import os

from services import metrics
from services.codestore import CodeStore
from services.retrieval.app import application
from services.retrieval.server.heart import tell_when_ready
from services.retrieval.service import Service
from services.retrieval.settings import Settings
from tests.support.application import Client


def asked() -> list[str]:
    text = metrics.exposition("retrieval").decode()
    return [line for line in text.splitlines() if 'route="readyz"' in line]


def test_it_tells_once_the_application_is_ready_and_counts_itself_as_nobody(client: Client) -> None:
    reading, writing = os.pipe()
    before = asked()
    try:
        asyncio.run(tell_when_ready(writing, application(client.service)))
        assert os.read(reading, 8) == b"+"
    finally:
        os.close(reading)
        os.close(writing)
    assert asked() == before


def test_it_asks_again_until_then() -> None:
    empty = CodeStore.connect("memory://")
    service = Service(Settings(), lambda seconds: empty)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    async def ask_for_a_while() -> None:
        asking = asyncio.create_task(tell_when_ready(writing, application(service)))
        await asyncio.sleep(0.5)
        asking.cancel()

    try:
        asyncio.run(ask_for_a_while())
        try:
            told = os.read(reading, 8)
        except BlockingIOError:
            told = b""
        assert told == b""
    finally:
        os.close(reading)
        os.close(writing)
