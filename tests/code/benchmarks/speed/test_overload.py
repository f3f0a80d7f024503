"""The two loops of clients, against a server that refuses every second search and closes every fourth connection."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from benchmarks.speed.overload import Tally, closed_loop, head, lines, measure, open_loop

Loop = Callable[[tuple[str, int], bytes, Tally], Coroutine[Any, Any, None]]
PICTURE = b"picture"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    size = len(head(PICTURE, 10, ("127.0.0.1", 1)).partition(b"\r\n\r\n")[2])
    number = 0
    while await reader.read(1):
        rest = await reader.readuntil(b"\r\n\r\n")
        assert b"POST"[1:] in rest
        await reader.readexactly(size)
        number += 1
        status = b"429 Too Many Requests" if number % 2 else b"200 OK"
        close = b"" if number % 4 else b"Connection: close\r\n"
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: 2\r\n%s\r\n" % (status, close))
        await asyncio.sleep(0.001)
        writer.write(b"{}")  # the answer comes in two parts
        if close:
            break
    writer.close()


@pytest.mark.parametrize(
    "loop",
    [
        lambda address, request, tally: closed_loop(address, request, 3, tally),
        lambda address, request, tally: open_loop(address, request, 200.0, tally),
    ],
    ids=["closed", "open"],
)
def test_answers_are_counted_by_what_they_say(loop: Loop) -> None:
    async def work(tally: Tally) -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()[:2]
        await loop(address, head(PICTURE, 10, address), tally)
        server.close()

    found = measure(work, 0.5)
    assert set(found["answers"]) == {"200", "429"}
    assert found["goodput"] == found["answers"]["200"] > 0
    assert found["p50_ms"] <= found["p99_ms"]
    (row,) = [
        line for line in lines([{"name": "x", "loop": "closed", "offered": 3} | found]) if "| x |" in line
    ]
    assert "3 connections" in row
    assert "100%" in row
