"""Several queries of one request: each has its own answer, or its own problem, in their order."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from services.web.problems import told_of
from services.web.refused import RefusedError

AT_ONCE = 2  # queries of one request that are worked on, so that it takes no more than its share
_WHOLE = (429, 503)  # what is told of the server, not of a query: then the request is refused


async def answers(
    generation: str, queries: Sequence[Any], answer: Callable[[Any], Awaitable[bytes]]
) -> bytes:
    """The answers to all queries as JSON.

    Args:
        queries: each one, or a RefusedError: why it cannot be read.
        answer: to one query, as JSON.

    Raises:
        RefusedError: the server is too busy, or cannot answer at all.
    """
    started, room = time.perf_counter(), asyncio.Semaphore(AT_ONCE)

    async def one(query: Any) -> bytes:
        try:
            if isinstance(query, RefusedError):
                raise query
            async with room:
                return await answer(query)
        except RefusedError as refused:
            if refused.status in _WHOLE:
                raise
            return written({"problem": told_of(refused)})

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(query)) for query in queries]
    except* RefusedError as several:
        raise _first(several) from None
    took = round(1000 * (time.perf_counter() - started), 3)
    head = written({"generation": generation, "answers": []})[:-2]
    return head + b",".join(task.result() for task in tasks) + b'],"took_ms":%s}' % str(took).encode()


def rounds_of(queries: int) -> int:
    """How many of so many queries are worked on one after the other."""
    return max(1, -(-queries // AT_ONCE))


def written(told: object) -> bytes:
    """JSON as it goes to a client."""
    try:
        return orjson.dumps(told)
    except TypeError:  # a client's text may have half of a pair, which JSON can name and UTF-8 cannot
        return json.dumps(told, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _first(group: BaseExceptionGroup[RefusedError]) -> RefusedError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, RefusedError)
    return error
