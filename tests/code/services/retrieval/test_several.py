"""Several queries of one request: answers and problems in their order, and no more at once than its share."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.several import AT_ONCE, answers
from services.web.refused import RefusedError, busy

REFUSED = RefusedError(422, "image", "image cannot be read: send another")


@given(st.lists(st.sampled_from(["good", "unreadable", "refused"]), max_size=9))
def test_each_has_its_own_answer_or_problem(kinds: list[str]) -> None:
    under_way = most = 0

    async def answer(number: int) -> bytes:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.0001 * (number % 3))  # not in their order
        under_way -= 1
        if kinds[number] == "refused":
            raise REFUSED
        return b"%d" % number

    queries = [REFUSED if kind == "unreadable" else number for number, kind in enumerate(kinds)]
    told: dict[str, Any] = json.loads(asyncio.run(answers('a "generation"', queries, answer)))
    assert told.keys() == {"generation", "answers", "took_ms"}
    assert told["generation"] == 'a "generation"'
    problem = {
        "type": "urn:taxohash:image",
        "title": "Picture cannot be read",
        "status": 422,
        "detail": "image cannot be read: send another",
    }
    assert told["answers"] == [
        number if kind == "good" else {"problem": problem} for number, kind in enumerate(kinds)
    ]
    assert most <= AT_ONCE


def test_a_busy_server_refuses_all_and_begins_no_more() -> None:
    begun = []

    async def answer(number: int) -> bytes:
        begun.append(number)
        await asyncio.sleep(0)
        if number == 3:
            raise busy("too much waits: try again")
        return b""

    with pytest.raises(RefusedError, match="too much waits") as refused:
        asyncio.run(answers("g", range(60), answer))
    assert refused.value.status == 429
    assert len(begun) < 10
