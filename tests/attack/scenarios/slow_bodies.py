"""Uploads that stop half way, while others search."""

import asyncio
import time
from collections import Counter
from functools import partial

from tests.attack.load import searching
from tests.attack.scenario import Figures, Line, Plan, Scenario, Start, ms, told
from tests.attack.wire import Address, Wire, run, search
from tests.support.generations import pictures

_RATE = 10.0
_HELD_SECONDS = 16.0  # of each number of uploads
_FEW = 33


def attack(start: Start, plan: Plan) -> Figures:
    """First 33, then `plan.count`: each half a body and then nothing; another for each that is given up."""
    with start({"TAXOHASH_UPLOAD_SECONDS": "15"}) as target, searching(target.url, _RATE) as samples:
        spans, slow = {}, {}
        for count in (_FEW, plan.count):
            begun = time.monotonic()
            slow[str(count)] = dict(run(partial(_hold, target.address, count, _HELD_SECONDS * plan.pace)))
            spans[str(count)] = (begun, time.monotonic())
    return {
        "valid": {name: samples.between(*span) for name, span in spans.items()},
        "slow": slow,
    }


async def _hold(address: Address, count: int, seconds: float) -> Counter[str]:
    raw = search(pictures(1)[0] * 20)
    half, outcomes = raw[: len(raw) // 2], Counter[str]()

    async def slow() -> None:
        while True:
            try:
                wire = await Wire.open(address)
            except (OSError, TimeoutError):
                outcomes["refused"] += 1
                await asyncio.sleep(0.2)
                continue
            answer = await wire.ask(half, seconds)
            outcomes[answer.outcome] += 1
            wire.close()
            await asyncio.sleep(0.1)

    tasks = [asyncio.create_task(slow()) for _ in range(count)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return outcomes


def _lines(found: Figures) -> list[Line]:
    return [
        Line(
            f"{count} uploads of half a body: valid searches",
            "all 200",
            f"{told(valid['outcomes'])}; p99 {ms(valid['p99_ms'])}",
        )
        for count, valid in found["valid"].items()
    ]


SCENARIO = Scenario(200, attack, _lines)
