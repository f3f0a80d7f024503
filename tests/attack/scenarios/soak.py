"""Everything at once, steadily, for minutes: what the service takes must not grow."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

from tests.attack.load import searching
from tests.attack.malformed import requests
from tests.attack.scenario import Figures, Line, Plan, Scenario, Start, ms, told
from tests.attack.target import Target
from tests.attack.uploads import uploads
from tests.attack.watch import MIB, Watch, watching
from tests.attack.wire import Address, Client, Wire, get, run, search

_RATE = 10.0
_UPLOADS, _REQUESTS, _THUMBNAILS, _SLOW = 20.0, 10.0, 5.0, 1.0  # a second
_DEADLINE = 30.0
_WARM_UP = 0.2  # of the time, in which memory may grow


def attack(start: Start, plan: Plan) -> Figures:
    """`plan.count` minutes of valid searches, hostile uploads, malformed requests, thumbnails, and what is left half sent."""
    with start({"TAXOHASH_UPLOAD_SECONDS": "5", "TAXOHASH_HEADER_SECONDS": "5"}) as target:
        with searching(target.url, _RATE) as samples, watching(target, every=1.0) as watch:
            begun = time.monotonic()
            outcomes = run(lambda: _mix(target, plan, 60.0 * plan.count * plan.pace))
            over = time.monotonic()
        return {
            "minutes": round((over - begun) / 60, 1),
            "hostile": dict(outcomes),
            "valid": samples.between(begun, over),
            "growth": growth(watch, begun, over),
            **watch.figures(),
        }


def growth(watch: Watch, begun: float, over: float) -> dict[str, Any]:
    """MiB of each tenth of the time, at its median; and of the straight line through all after the warm-up, what it gains a minute."""
    looks = [look for look in watch.looks if begun <= look.at < over]
    if len(looks) < 20:
        return {"tenths_mib": [], "mib_a_minute": None}
    tenths = [
        int(np.median([look.rss for look in part])) // MIB
        for part in np.array_split(np.array(looks, object), 10)
    ]
    late = [look for look in looks if look.at > begun + _WARM_UP * (over - begun)]
    slope = np.polyfit([look.at / 60 for look in late], [look.rss / MIB for look in late], 1)[0]
    return {"tenths_mib": tenths, "mib_a_minute": round(float(slope), 2)}


async def _mix(target: Target, plan: Plan, seconds: float) -> Counter[str]:
    client, outcomes = Client(target.address, _DEADLINE), Counter[str]()
    pictures, malformed = uploads(plan.seed), requests(plan.seed)
    until = time.monotonic() + seconds

    async def upload() -> None:
        outcomes[(await client.ask(search(next(pictures)[1], k=1))).outcome] += 1

    async def request() -> None:
        odd = next(malformed)
        await _raw(target.address, odd.raw, outcomes, bodiless=odd.bodiless)

    async def thumbnail() -> None:
        outcomes[(await client.ask(get("/v1/items/item%201/thumbnail"))).outcome] += 1

    async def slow() -> None:
        await _raw(target.address, search(bytes(5000))[:3000], outcomes)

    async with asyncio.TaskGroup() as tasks:
        for work, rate in ((upload, _UPLOADS), (request, _REQUESTS), (thumbnail, _THUMBNAILS), (slow, _SLOW)):
            tasks.create_task(_steadily(work, rate, until, tasks))
    client.close()
    return outcomes


async def _steadily(
    work: Callable[[], Awaitable[None]], rate: float, until: float, tasks: asyncio.TaskGroup
) -> None:
    """Begin some work so many times a second, of which so many times four may be under way."""
    room = asyncio.Semaphore(int(4 * rate))

    async def one() -> None:
        async with room:
            await work()

    while time.monotonic() < until:
        if not room.locked():
            tasks.create_task(one())
        await asyncio.sleep(1.0 / rate)


async def _raw(address: Address, raw: bytes, outcomes: Counter[str], bodiless: bool = False) -> None:
    try:
        wire = await Wire.open(address, _DEADLINE)
    except (OSError, TimeoutError):
        outcomes["refused"] += 1
        return
    outcomes[(await wire.ask(raw, _DEADLINE, bodiless=bodiless)).outcome] += 1
    wire.close()


def _lines(found: Figures) -> list[Line]:
    gained, tenths = found["growth"]["mib_a_minute"], found["growth"]["tenths_mib"]
    opened, threads = found.get("descriptors", {}), found.get("threads", {})
    valid = found["valid"]
    return [
        Line("soak: memory by tenths of the time", "flat", f"{', '.join(map(str, tenths))} MiB"),
        Line(
            "soak: memory that is gained a minute",
            "0",
            f"{'unknown' if gained is None else gained} MiB, of {found['minutes']:g} minutes",
        ),
        Line(
            "soak: descriptors and threads, first and last",
            "the same",
            f"{opened.get('first')} and {opened.get('last')}, {threads.get('first')} and {threads.get('last')}",
        ),
        Line("soak: valid searches", "all 200", f"{told(valid['outcomes'])}; p99 {ms(valid['p99_ms'])}"),
        Line("soak: hostile requests", "no 500", told(found["hostile"])),
    ]


SCENARIO = Scenario(10, attack, _lines)
