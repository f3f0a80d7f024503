"""SIGTERM while slow requests are under way."""

import asyncio
import os
import signal
import time
from collections import Counter

import psutil  # type: ignore[import-untyped]

from tests.attack.bombs import bomb
from tests.attack.scenario import Figures, Line, Plan, Scenario, Start, told
from tests.attack.target import Target
from tests.attack.wire import Answer, Client, Wire, get, run, search
from tests.support.generations import pictures

_WORKED_ON = "JPEG, progressive photograph"  # sound, and a fifth of a second of a CPU
_BODY_SECONDS = 2.0  # in which a body comes, a little at a time
_SIGNAL_SECONDS = 1.0  # until SIGTERM


def attack(start: Start, plan: Plan) -> Figures:
    """`plan.count` requests: every other one a picture that is worked on, or a body that is coming."""
    with start({"TAXOHASH_UPLOAD_SECONDS": "15"}) as target:
        family = target.family()
        answers, news = run(lambda: _drain(target, plan.count))
        asked = time.monotonic()
        left = psutil.wait_procs(family, timeout=40)[1]
        return {
            "outcomes": dict(Counter(answer.outcome for answer in answers)),
            "retry_after": sum("retry-after" in answer.headers for answer in answers if answer.status == 503),
            "new_requests": dict(Counter(answer.outcome for answer in news)),
            "ended_seconds": round(time.monotonic() - asked, 1),
            "left": len(left),
        }


async def _drain(target: Target, count: int) -> tuple[list[Answer], list[Answer]]:
    """The answers to those under way, and to those that come after SIGTERM."""
    picture = search(bomb(_WORKED_ON))
    body = search(pictures(1)[0])

    async def worked_on() -> Answer:
        await asyncio.sleep(0.9 * _SIGNAL_SECONDS)
        wire = await Wire.open(target.address)
        return await wire.ask(picture, 40.0)

    async def coming() -> Answer:
        wire = await Wire.open(target.address)
        *pieces, last = (body[at : at + 60] for at in range(0, len(body), 60))
        for piece in pieces:
            wire.send(piece)
            await asyncio.sleep(_BODY_SECONDS / len(pieces))
        return await wire.ask(last, 40.0)

    async with asyncio.TaskGroup() as tasks:
        under_way = [tasks.create_task(worked_on() if number % 2 else coming()) for number in range(count)]
        await asyncio.sleep(_SIGNAL_SECONDS)
        os.kill(target.pid, signal.SIGTERM)
        client, news = Client(target.address, 10.0, keep=False), []
        while not all(task.done() for task in under_way):
            news.append(await client.ask(get("/readyz")))
            await asyncio.sleep(0.1)
    return [task.result() for task in under_way], news


def _lines(found: Figures) -> list[Line]:
    return [
        Line("SIGTERM: six slow requests", "200, or 503 with Retry-After", told(found["outcomes"])),
        Line("SIGTERM: new requests meanwhile", "refused, or 503", told(found["new_requests"])),
        Line(
            "SIGTERM: ended",
            "nothing left",
            f"{found['left']} processes left {found['ended_seconds']:g} s after the last answer",
        ),
    ]


SCENARIO = Scenario(6, attack, _lines)
