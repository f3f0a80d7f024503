"""More than the service can do: how much of what it can do is still done."""

import asyncio
import io
import time
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from tests.attack.load import Sample, figures
from tests.attack.scenario import Figures, Line, Plan, Scenario, Start, ms, told
from tests.attack.wire import Address, Client, run, search

_TOGETHER = 4  # clients that wait for their answers: enough to keep two cores busy
TIMES = (1, 2, 4, 16)
_MOST = 2_000  # requests under way at once: an attacker has no more connections


def photographs(count: int, side: int = 320) -> list[bytes]:
    """Small JPEG files such as cameras make of soft shapes and a little noise."""
    random = np.random.default_rng(11)
    found = []
    for _ in range(count):
        soft = Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).resize((side, side * 3 // 4))
        pixels = np.asarray(soft, np.int16) + random.integers(-9, 10, (side * 3 // 4, side, 3))
        out = io.BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=80)
        found.append(out.getvalue())
    return found


def attack(start: Start, plan: Plan) -> Figures:
    """Closed loops of 4 to 64 clients, then open loops at 1 to 16 times the best of them, `plan.count` seconds each."""
    requests = [search(picture) for picture in photographs(32)]
    with start({}) as target:
        run(lambda: _closed(target.address, requests, _TOGETHER, 2.0))
        closed, opened = {}, {}
        for times in TIMES:
            clients = _TOGETHER * times
            closed[f"{times} x"] = run(partial(_closed, target.address, requests, clients, plan.count))
        capacity = max(one["goodput"] for one in closed.values())
        for times in TIMES:
            opened[f"{times} x"] = run(partial(_open, target.address, requests, capacity * times, plan.count))
    best = max(one["goodput"] for one in [*closed.values(), *opened.values()])
    for one in [*closed.values(), *opened.values()]:
        one["of_best"] = round(one["goodput"] / best, 2)
    return {"capacity": capacity, "closed": closed, "open": opened}


async def _closed(address: Address, requests: list[bytes], clients: int, seconds: float) -> dict[str, Any]:
    """Each client sends its next search when it has the answer to the last; one that is told to come back waits a little."""
    client, found = Client(address), list[Sample]()
    start, used = time.monotonic(), time.process_time()

    async def ask(number: int) -> None:
        while (due := time.monotonic()) < start + seconds:
            answer = await client.ask(requests[number % len(requests)])
            found.append(Sample(due, answer.seconds, answer.outcome))
            if answer.status != 200:
                await asyncio.sleep(0.05)
            number += 1

    await asyncio.gather(*(ask(number) for number in range(clients)))
    client.close()
    return _figures(found, start, seconds, used)


async def _open(address: Address, requests: list[bytes], rate: float, seconds: float) -> dict[str, Any]:
    """Searches that come at their times, whatever became of those before."""
    client, found, under_way, unsent = Client(address, 30.0), list[Sample](), 0, 0
    start, used = time.monotonic(), time.process_time()

    async def ask(number: int, due: float) -> None:
        nonlocal under_way
        under_way += 1
        answer = await client.ask(requests[number % len(requests)], due)
        under_way -= 1
        found.append(Sample(due, answer.seconds, answer.outcome))

    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            due = start + number / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            elif number % 16 == 0:
                await asyncio.sleep(0)
            if under_way < _MOST:
                tasks.create_task(ask(number, due))
            else:
                unsent += 1
    client.close()
    return _figures(found, start, seconds, used) | {"rate": round(rate, 1), "unsent": unsent}


def _figures(found: list[Sample], start: float, seconds: float, used: float) -> dict[str, Any]:
    """Figures; goodput is of the answers that came within the seconds of the loop, `cores` are what the attacker took."""
    good = sum(sample.outcome == "200" and sample.due + sample.seconds < start + seconds for sample in found)
    cores = (time.process_time() - used) / (time.monotonic() - start)
    return {"goodput": round(good / seconds, 1), "attacker_cores": round(cores, 2), **figures(found)}


def _lines(found: Figures) -> list[Line]:
    lines = []
    for kind in ("closed", "open"):
        for times, one in found[kind].items():
            asked = "at least 80 % of the best" if times == "16 x" else ""
            text = f"{one['goodput']:g} a second, {told(one['outcomes'])}, {100 * one['of_best']:.0f} %; p99 {ms(one['p99_ms'])}"
            lines.append(Line(f"{kind} loop at {times} the capacity: 200s", asked, text))
    return lines


SCENARIO = Scenario(8, attack, _lines)
