"""Bodies that drip, stall, are too many or too large; in a time of the tests' own."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from services.retrieval.settings import Limits
from services.retrieval.uploads import GRACE_SECONDS, PATIENCE_SECONDS, Uploads
from services.web.refused import RefusedError
from tests.support.dripping import Dripping
from tests.support.virtual_time import now, run

LIMITS = Limits(
    body_bytes=10_000, uploads=3, uploads_bytes=20_000, upload_rate=100, upload_seconds=15.0, requests=2
)


async def body_of(uploads: Uploads, client: Dripping, announced: int | None = None) -> bytes:
    headers = Headers({} if announced is None else {"content-length": str(announced)})
    async with uploads.read(headers, client) as body:
        assert uploads.held >= len(body)
        return bytes(body)


async def refusal_of(uploads: Uploads, client: Dripping, announced: int | None = None) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        await body_of(uploads, client, announced)
    return refused.value


def half(size: int = 10) -> Dripping:
    """A body that begins and never ends."""
    return Dripping([(0.0, b"x" * size)], whole=False)


def drip(size: int, seconds: float, times: int) -> Iterable[tuple[float, bytes]]:
    return [(seconds, b"x" * size)] * times


def test_pieces_are_put_together() -> None:
    async def scenario() -> None:
        uploads = Uploads(LIMITS)
        client = Dripping([(0.0, b"one "), (0.5, b""), (0.5, b"two "), (0.9, b"three")])
        assert await body_of(uploads, client) == b"one two three"
        assert (len(uploads), uploads.held) == (0, 0)

    run(scenario)


@pytest.mark.parametrize("announced", [None, 5000])
@pytest.mark.parametrize("sent", [0, 1, 4999])
def test_a_body_that_stalls_is_gone_after_the_grace(announced: int | None, sent: int) -> None:
    async def scenario() -> None:
        uploads = Uploads(LIMITS)
        refused = await refusal_of(uploads, half(sent), announced)
        assert (refused.status, refused.reason, refused.headers) == (408, "slow", {"Connection": "close"})
        assert "TAXOHASH_UPLOAD_RATE" in str(refused)
        assert now() == pytest.approx(GRACE_SECONDS)
        assert (len(uploads), uploads.held) == (0, 0)

    run(scenario)


@pytest.mark.parametrize(("size", "comes"), [(49, False), (51, True)])
def test_a_body_must_come_at_the_least_rate(size: int, comes: bool) -> None:
    """Of 100 bytes a second, every half second."""

    async def scenario() -> None:
        client = Dripping(drip(size, 0.5, 28))
        if comes:
            assert len(await body_of(Uploads(LIMITS), client)) == 28 * size
        else:
            patient = Uploads(Limits(upload_rate=100, upload_seconds=3600.0))
            refused = await refusal_of(patient, Dripping(drip(size, 0.5, 5000)))
            assert refused.status == 408
            assert now() == pytest.approx(75.0, abs=1.0)

    run(scenario)


def test_a_body_must_come_in_its_time_however_fast() -> None:
    async def scenario() -> None:
        refused = await refusal_of(Uploads(LIMITS), Dripping(drip(300, 0.5, 60)))
        assert refused.status == 408
        assert now() == pytest.approx(15.0)
        assert "within 15 seconds (TAXOHASH_UPLOAD_SECONDS)" in str(refused)

    run(scenario)


@pytest.mark.parametrize("announced", [None, 20_000, 10**40])
def test_a_body_that_is_too_large_is_refused_when_that_is_known(announced: int | None) -> None:
    async def scenario() -> None:
        uploads = Uploads(LIMITS)
        refused = await refusal_of(uploads, Dripping(drip(1000, 0.1, 100)), announced)
        assert (refused.status, refused.reason) == (413, "body")
        assert now() == pytest.approx(0.0 if announced else 1.1)
        assert uploads.held == 0

    run(scenario)


def test_the_largest_body_is_taken() -> None:
    async def scenario() -> None:
        for announced in (None, 10_000):
            assert len(await body_of(Uploads(LIMITS), Dripping([(0.0, b"x" * 10_000)]), announced)) == 10_000

    run(scenario)


@pytest.mark.parametrize("held_back", [3, 33, 200, 2000])
@pytest.mark.parametrize("later", [0.0, 0.1, 1.0])
def test_however_many_are_held_back_half_one_that_comes_as_searches_do_is_taken(
    held_back: int, later: float
) -> None:
    async def scenario() -> None:
        uploads = Uploads(replace(LIMITS, uploads_bytes=1_000_000))
        others = [asyncio.create_task(refusal_of(uploads, half(), 20)) for _ in range(held_back)]
        await asyncio.sleep(later)
        head_first = Dripping([(0.0, b""), (0.2, b"whole")])
        assert await body_of(uploads, head_first, 5) == b"whole"
        assert now() == pytest.approx(later + 0.2)
        statuses = Counter(refused.status for refused in await asyncio.gather(*others))
        assert statuses == Counter([408] * 3 + [429] * (held_back - 3))
        assert (len(uploads), uploads.held) == (0, 0)

    run(scenario)


def test_one_that_stalls_makes_way_and_one_that_gets_on_does_not() -> None:
    async def scenario() -> None:
        uploads = Uploads(LIMITS)
        quick = [asyncio.create_task(body_of(uploads, Dripping(drip(50, 0.1, 50)))) for _ in range(2)]
        stalled = asyncio.create_task(refusal_of(uploads, half()))
        await asyncio.sleep(0.1)
        newcomer = asyncio.create_task(body_of(uploads, Dripping(drip(50, 0.1, 20))))
        refused = await stalled
        assert now() == pytest.approx(0.1 + PATIENCE_SECONDS)
        assert (refused.status, refused.reason) == (429, "busy")
        assert refused.headers == {"Retry-After": "1", "Connection": "close"}
        too_many = await refusal_of(uploads, Dripping(drip(50, 0.1, 20)))
        assert too_many.status == 429
        assert now() == pytest.approx(0.1 + 2 * PATIENCE_SECONDS)
        assert len(await newcomer) == 1000
        assert [len(body) for body in await asyncio.gather(*quick)] == [2500, 2500]

    run(scenario)


def test_announced_bytes_count_and_who_announces_more_than_comes_makes_way() -> None:
    async def scenario() -> None:
        uploads = Uploads(LIMITS)
        # At this pace neither would be whole in its time, though both send more than the least rate.
        liars = [
            asyncio.create_task(refusal_of(uploads, Dripping(drip(60, 0.2, 999)), 10_000)) for _ in range(2)
        ]
        await asyncio.sleep(0.3)
        assert uploads.held == 20_000
        assert (await refusal_of(uploads, Dripping([(0.0, b"x" * 500)]), 500)).status == 429
        await asyncio.sleep(0.7)
        assert len(await body_of(uploads, Dripping([(0.0, b"x" * 500)]), 500)) == 500
        assert uploads.held == 10_000
        assert sorted(refused.status for refused in await asyncio.gather(*liars)) == [408, 429]
        assert uploads.held == 0

    run(scenario)


def test_bytes_count_until_the_search_is_answered() -> None:
    async def scenario() -> None:
        uploads = Uploads(LIMITS)
        async with uploads.read(Headers(), Dripping([(0.0, b"x" * 10_000)])):
            async with uploads.read(Headers(), Dripping([(0.0, b"x" * 10_000)])):
                assert (len(uploads), uploads.held) == (0, 20_000)
                assert (await refusal_of(uploads, Dripping([(0.0, b"x")]))).status == 429
                assert (await refusal_of(uploads, Dripping([(0.0, b"x")]), 1)).status == 429
            assert await body_of(uploads, Dripping([(0.0, b"x")])) == b"x"
        assert uploads.held == 0

    run(scenario)


def test_what_is_held_is_let_go_whatever_becomes_of_it() -> None:
    async def scenario() -> None:
        uploads = Uploads(LIMITS)
        refused = await refusal_of(uploads, Dripping([(0.0, b"x")], whole=False, leaves=0.1), 500)
        assert (refused.status, refused.reason, uploads.held) == (400, "gone", 0)
        task = asyncio.create_task(body_of(uploads, half(), 500))
        await asyncio.sleep(0)
        assert (len(uploads), uploads.held) == (0, 10)
        await asyncio.sleep(PATIENCE_SECONDS)
        assert (len(uploads), uploads.held) == (1, 500)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ZeroDivisionError):
            async with uploads.read(Headers({"content-length": "5"}), Dripping([(0.0, b"x")])):
                raise ZeroDivisionError
        assert (len(uploads), uploads.held) == (0, 0)

    run(scenario)


CLIENTS = st.tuples(
    st.floats(0.0, 5.0),  # comes then
    st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.3, 1.0, 3.0]), st.integers(0, 4000)), max_size=6),
    st.sampled_from([None, 0, 100, 9_000, 30_000]),  # announced
    st.sampled_from(["whole", "stalls", "leaves"]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(CLIENTS, max_size=12))
def test_whatever_comes_the_bounds_hold_and_nothing_is_left(
    clients: list[tuple[float, list[tuple[float, int]], int | None, str]],
) -> None:
    async def scenario() -> None:
        uploads, most = Uploads(LIMITS), [0, 0]

        def look() -> None:
            most[0], most[1] = max(most[0], len(uploads)), max(most[1], uploads.held)

        async def client(
            begins: float, pieces: list[tuple[float, int]], announced: int | None, end: str
        ) -> str:
            await asyncio.sleep(begins)
            dripping = Dripping(
                [(pause, b"x" * size) for pause, size in pieces],
                whole=end == "whole",
                leaves=0.5 if end == "leaves" else None,
            )
            headers = Headers({} if announced is None else {"content-length": str(announced)})
            try:
                async with uploads.read(headers, dripping) as body:
                    look()
                    assert len(body) == sum(size for _, size in pieces)
                    await asyncio.sleep(0.1)
                    return "200"
            except RefusedError as refused:
                look()
                return str(refused.status)

        tasks = [asyncio.create_task(client(*given)) for given in clients]
        while not all(task.done() for task in tasks):
            look()
            await asyncio.sleep(0.05)
        assert {task.result() for task in tasks} <= {"200", "400", "408", "413", "429"}
        assert most[0] <= LIMITS.uploads
        assert most[1] <= LIMITS.uploads_bytes
        assert (len(uploads), uploads.held) == (0, 0)

    run(scenario)
