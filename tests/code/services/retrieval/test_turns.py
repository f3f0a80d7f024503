"""Writers of one item take turns; those of others do not wait."""

import asyncio

from services.retrieval.turns import Turns
from tests.support.virtual_time import now, run


def test_writers_of_one_item_come_one_after_the_other_and_nothing_is_kept() -> None:
    async def scenario() -> None:
        turns, order = Turns(), list[tuple[str, int]]()

        async def write(item_id: str, number: int) -> None:
            async with turns.of(item_id):
                await asyncio.sleep(1.0)
                order.append((item_id, number))

        await asyncio.gather(*(write("a", number) for number in range(3)), write("b", 0))
        assert now() == 3.0
        assert sorted(order[:2]) == [("a", 0), ("b", 0)]
        assert order[2:] == [("a", 1), ("a", 2)]
        assert len(turns) == 0

    run(scenario)


def test_who_fails_or_leaves_lets_the_next_write() -> None:
    async def scenario() -> None:
        turns = Turns()

        async def write(seconds: float) -> None:
            async with asyncio.timeout(seconds), turns.of("a"):
                await asyncio.sleep(5.0)

        done = await asyncio.gather(write(1.0), write(2.0), write(60.0), return_exceptions=True)
        assert [type(one) for one in done] == [TimeoutError, TimeoutError, type(None)]
        assert now() == 7.0

    run(scenario)
