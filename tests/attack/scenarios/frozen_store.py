"""The store stands still, dies and comes back, while thumbnails wait for it."""

import asyncio
import os
import signal
import time
from collections import Counter
from typing import Any

from services.codestore import EmbeddedServer
from tests.attack.load import figures, searching
from tests.attack.probe import probing
from tests.attack.scenario import Figures, Line, Plan, Scenario, Start, ms, told
from tests.attack.wire import Address, Answer, Client, get, run

_THUMBNAIL = get("/v1/items/item%201/thumbnail")
_PATHS = ("/livez", "/readyz", "/metrics", "/")
_MORE_SECONDS = 5.0  # of the store standing still, after the last thumbnail is answered
_RATE = 10.0


def attack(start: Start, plan: Plan) -> Figures:
    """Freeze it under `plan.count` thumbnails; then kill it, wait, and start it again."""
    with start({}) as target:
        store = target.store
        assert store is not None, "the store is not ours to freeze"
        with searching(target.url, _RATE) as samples:
            begun = time.monotonic()
            os.kill(store.pid, signal.SIGSTOP)
            try:
                thumbnails, probed = run(lambda: _freeze(target.address, plan))
            finally:
                os.kill(store.pid, signal.SIGCONT)
            thawed = time.monotonic()
            without, again = run(lambda: _restart(target.address, store))
        return {
            "thumbnails": _times(thumbnails),
            "probes": probed,
            "valid": samples.between(begun, thawed),
            "store_killed": {"thumbnail": _times([without]), "again_seconds": again},
        }


async def _freeze(address: Address, plan: Plan) -> tuple[list[Answer], Figures]:
    """The answers to thumbnails, and figures of each path meanwhile."""
    client = Client(address, 60.0, keep=False)
    async with probing(address, _PATHS, every=0.5, deadline=60.0) as probes:
        thumbnails = await asyncio.gather(*(client.ask(_THUMBNAIL) for _ in range(plan.count)))
        await asyncio.sleep(_MORE_SECONDS * plan.pace)
    return thumbnails, {path: figures([p.sample for p in probes if p.path == path]) for path in _PATHS}


async def _restart(address: Address, store: EmbeddedServer) -> tuple[Answer, float | None]:
    """The answer for a thumbnail while there is no store, and the seconds after its start until there is one again."""
    client = Client(address, 60.0, keep=False)
    os.kill(store.pid, signal.SIGKILL)
    assert store._process
    store._process.wait(20)
    store.stop()
    without = await client.ask(_THUMBNAIL)
    store.start()
    started = time.monotonic()
    while time.monotonic() - started < 60:
        if (await client.ask(_THUMBNAIL)).status == 200:
            return without, round(time.monotonic() - started, 2)
        await asyncio.sleep(0.05)
    return without, None


def _times(answers: list[Answer]) -> dict[str, Any]:
    return {
        "outcomes": dict(Counter(answer.outcome for answer in answers)),
        "longest_seconds": round(max(answer.seconds for answer in answers), 2),
    }


def _lines(found: Figures) -> list[Line]:
    thumbnails, killed = found["thumbnails"], found["store_killed"]
    again = killed["again_seconds"]
    return [
        Line(
            "store frozen, 41 thumbnails wait: each",
            "503 within 5 s",
            f"{told(thumbnails['outcomes'])}; longest {thumbnails['longest_seconds']:g} s",
        ),
        *(
            Line(
                f"store frozen: {path}",
                "200 at once",
                f"{told(one['outcomes'])}; p50 {ms(one['p50_ms'])}, p99 {ms(one['p99_ms'])}",
            )
            for path, one in found["probes"].items()
        ),
        Line("store frozen: valid searches", "all 200", told(found["valid"]["outcomes"])),
        Line(
            "store killed and started: thumbnails again",
            "by itself",
            "never in 60 s" if again is None else f"after {again:g} s",
        ),
    ]


SCENARIO = Scenario(41, attack, _lines)
