import asyncio
import threading
from collections.abc import Iterator

import pytest

from services.retrieval.errors import RefusedError
from services.retrieval.settings import Limits
from services.retrieval.workers import Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(Limits(requests=2, threads=1, answer_seconds=0.05))
    yield made
    made.close()


def test_more_requests_than_allowed_are_refused_until_one_ends(workers: Workers) -> None:
    with workers:
        with workers, pytest.raises(RefusedError) as refused, workers:
            pass
        assert refused.value.status == 429
        assert refused.value.headers == {"Retry-After": "1"}
        with workers:
            pass


def test_a_request_that_fails_frees_its_place(workers: Workers) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), workers:
            raise ZeroDivisionError


def test_work_that_overruns_is_answered_and_keeps_its_thread_until_it_ends(workers: Workers) -> None:
    release = threading.Event()

    async def scenario() -> list[int]:
        statuses = []
        for work in (release.wait, lambda: True):
            with pytest.raises(RefusedError) as refused:
                await workers.run(work, "picture of 5 bytes")
            statuses.append(refused.value.status)
        release.set()
        while True:  # the thread comes back
            try:
                assert await workers.run(lambda: 7, "picture of 5 bytes") == 7
                return statuses
            except RefusedError:
                continue

    assert asyncio.run(scenario()) == [422, 429]


def test_what_the_work_raises_is_raised(workers: Workers) -> None:
    def fail() -> None:
        raise RefusedError(422, "image", "picture is no picture: send one")

    async def scenario() -> None:
        for _ in range(3):
            with pytest.raises(RefusedError, match="picture is no picture"):
                await workers.run(fail, "picture of 5 bytes")

    asyncio.run(scenario())
