"""How many searches are begun, and what becomes of those whose time is over or whose clients leave."""

import asyncio

import pytest
from starlette.requests import Request

from services.retrieval.admission import Admission
from services.retrieval.settings import Limits
from services.web.refused import RefusedError, busy
from tests.support.dripping import Dripping
from tests.support.virtual_time import now, run

LIMITS = Limits(requests=2, answer_seconds=10.0)
STAYS = Dripping([])


def test_more_than_are_allowed_are_refused_until_one_ends() -> None:
    async def scenario() -> None:
        admission = Admission(LIMITS)
        async with admission.search(STAYS):
            assert admission.refusal() is None
            async with admission.search(STAYS):
                assert len(admission) == 2
                with pytest.raises(RefusedError, match="TAXOHASH_MAX_REQUESTS") as refused:
                    async with admission.search(STAYS):
                        raise AssertionError("it was begun")
                assert (refused.value.status, refused.value.reason) == (429, "busy")
                assert refused.value.headers == {"Retry-After": "1"}
            async with admission.search(STAYS):
                pass
        assert len(admission) == 0

    run(scenario)


def test_a_search_that_fails_frees_its_place() -> None:
    async def scenario() -> None:
        admission = Admission(LIMITS)
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                async with admission.search(STAYS):
                    raise ZeroDivisionError
        assert len(admission) == 0

    run(scenario)


def test_a_search_whose_time_is_over_is_cancelled_and_says_so() -> None:
    async def scenario() -> None:
        admission, ended = Admission(LIMITS), list[float]()

        async def work() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(now())

        with pytest.raises(RefusedError, match="TAXOHASH_ANSWER_SECONDS") as refused:
            async with admission.search(STAYS):
                await work()
        assert (refused.value.status, refused.value.reason) == (503, "time")
        assert "Retry-After" in refused.value.headers
        assert ended == [pytest.approx(10.0)]
        assert len(admission) == 0

    run(scenario)


def test_a_search_whose_client_leaves_is_cancelled() -> None:
    async def scenario() -> None:
        admission = Admission(LIMITS)
        with pytest.raises(RefusedError) as refused:
            async with admission.search(Dripping([], leaves=3.0)):
                await asyncio.sleep(3600)
        assert (refused.value.reason, len(admission)) == ("gone", 0)
        assert now() == pytest.approx(3.0)

    run(scenario)


def test_what_could_not_be_answered_in_time_is_refused_at_once_and_the_estimate_recovers() -> None:
    async def scenario() -> None:
        admission = Admission(Limits(requests=1000, answer_seconds=10.0))

        async def searching(seconds: float) -> None:
            async with admission.search(STAYS):
                await asyncio.sleep(seconds)

        for _ in range(40):
            await searching(4.0)
        slow = [asyncio.create_task(searching(4.0)) for _ in range(2)]
        await asyncio.sleep(0)
        refused = admission.refusal()
        assert refused is not None
        assert (refused.status, int(refused.headers["Retry-After"]) > 10) == (429, True)
        await asyncio.gather(*slow)
        for _ in range(40):
            await searching(0.01)
        quick = [asyncio.create_task(searching(0.01)) for _ in range(50)]
        await asyncio.gather(*quick)

    run(scenario)


def test_a_batch_counts_by_its_rounds_and_holds_up_no_single_search() -> None:
    async def scenario() -> None:
        admission = Admission(Limits(requests=1000, answer_seconds=10.0))

        async def batch() -> None:
            async with admission.search(STAYS) as turn:
                turn.rounds = 32
                await asyncio.sleep(9.0)

        for _ in range(40):
            await batch()
        another = asyncio.create_task(batch())
        await asyncio.sleep(0)
        assert admission.refusal() is None
        await another

    run(scenario)


def test_a_search_that_waits_for_a_write_leaves_its_place_to_others() -> None:
    async def scenario() -> None:
        admission = Admission(LIMITS)

        async def waiting(seconds: float) -> None:
            async with admission.search(STAYS) as turn, turn.aside():
                await asyncio.sleep(seconds)

        for _ in range(40):
            await waiting(9.0)  # which says nothing of how long searches take
        several = [asyncio.create_task(waiting(5.0)) for _ in range(20)]
        await asyncio.sleep(0)
        assert (len(admission), admission.refusal()) == (0, None)
        async with admission.search(STAYS):
            assert len(admission) == 1
        await asyncio.gather(*several)
        assert len(admission) == 0

    run(scenario)


def test_a_search_that_has_waited_is_refused_where_its_place_is_taken() -> None:
    async def scenario() -> None:
        admission = Admission(LIMITS)

        async def waiting() -> None:
            with pytest.raises(RefusedError, match="TAXOHASH_MAX_REQUESTS"):
                async with admission.search(STAYS) as turn, turn.aside():
                    await asyncio.sleep(5.0)

        waits = asyncio.create_task(waiting())
        await asyncio.sleep(0)
        async with admission.search(STAYS), admission.search(STAYS):
            await waits
            assert len(admission) == 2
        assert len(admission) == 0

    run(scenario)


def test_a_search_whose_time_is_over_while_it_waits_frees_nothing_twice() -> None:
    async def scenario() -> None:
        admission = Admission(LIMITS)
        with pytest.raises(RefusedError, match="TAXOHASH_ANSWER_SECONDS"):
            async with admission.search(STAYS) as turn, turn.aside():
                await asyncio.sleep(3600)
        assert len(admission) == 0

    run(scenario)


def asking(client: Dripping, announced: int | None = None) -> Request:
    headers = [] if announced is None else [(b"content-length", str(announced).encode())]
    return Request({"type": "http", "headers": headers}, client)


def test_refusals_take_turns_and_none_waits_long() -> None:
    async def scenario() -> None:
        admission, ended = Admission(LIMITS), list[tuple[int, float]]()

        async def ask(number: int) -> None:
            with pytest.raises(RefusedError, match="busy"):
                await admission.turn_away(asking(STAYS), busy("busy"))
            ended.append((number, now()))

        await ask(0)
        assert now() == 0.0  # one alone does not wait
        await asyncio.gather(*(ask(number) for number in range(1, 3000)))
        times = [time for _, time in ended]
        assert len(times) == 3000
        assert sum(time < 0.2 for time in times) == pytest.approx(100, abs=2)
        assert [number for number, time in ended if time < 0.2] == list(
            range(len([t for t in times if t < 0.2]))
        )
        assert max(times) == pytest.approx(0.25)

    run(scenario)


@pytest.mark.parametrize(
    ("announced", "dropped"), [(2000, True), (65_536, True), (65_537, False), (None, False), (10**9, False)]
)
def test_a_small_body_is_dropped_before_its_search_is_refused(announced: int | None, dropped: bool) -> None:
    async def scenario() -> None:
        client = Dripping([(0.0, b"x" * 1000), (0.1, b"x" * 1000)])
        with pytest.raises(RefusedError):
            await Admission(LIMITS).turn_away(asking(client, announced), busy("busy"))
        assert len(client.left) == (0 if dropped else 2)

    run(scenario)


def test_a_small_body_that_does_not_come_is_not_waited_for() -> None:
    async def scenario() -> None:
        with pytest.raises(RefusedError):
            await Admission(LIMITS).turn_away(asking(Dripping([], whole=False), 10), busy("busy"))
        assert now() == pytest.approx(0.25)

    run(scenario)
