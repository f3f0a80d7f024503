"""Connections that send half a header and stay."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping

from tests.attack.load import figures, searching
from tests.attack.probe import Probed, probing
from tests.attack.scenario import Figures, Line, Plan, Scenario, Start, ms, told
from tests.attack.target import DESCRIPTORS
from tests.attack.watch import watching
from tests.attack.wire import Address, Wire, run

_HALF = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Half: "
_RATE = 10.0
_HELD_SECONDS = 25.0
_FEW = 1_200  # more than the descriptors of a process that has 1,024
_OPENING = 64  # at once


def attack(start: Start, plan: Plan) -> Figures:
    """`plan.count` of them; and 1,200 where a process may have 1,024 descriptors."""
    return {
        f"{plan.count:,}": held(start, plan.count, {}, _HELD_SECONDS * plan.pace),
        f"{_FEW:,} at 1,024 descriptors": held(start, _FEW, DESCRIPTORS, _HELD_SECONDS * plan.pace),
    }


def held(start: Start, count: int, limits: Mapping[int, int], seconds: float) -> Figures:
    with (
        start({}, limits) as target,
        searching(target.url, _RATE, "fresh") as samples,
        watching(target) as watch,
    ):
        begun = time.monotonic()
        outcomes, probes = run(lambda: _hold(target.address, count, seconds))
        over = time.monotonic()
    return {
        "held_seconds": seconds,
        "connections": dict(outcomes),
        "livez": figures([probe.sample for probe in probes]),
        "valid": samples.between(begun, over),
        **watch.figures(),
    }


async def _hold(address: Address, count: int, seconds: float) -> tuple[Counter[str], list[Probed]]:
    """What became of the connections while they were held, and of questions for health meanwhile."""
    wires: list[Wire] = []
    refused, left = 0, iter(range(count))

    async def opener() -> None:
        nonlocal refused
        for _ in left:
            try:
                wire = await Wire.open(address, 5.0)
            except (OSError, TimeoutError):
                refused += 1
                continue
            wire.send(_HALF)
            wires.append(wire)

    async with probing(address, ("/livez",), every=0.25, deadline=10.0) as probes:
        openers = [asyncio.create_task(opener()) for _ in range(_OPENING)]
        await asyncio.sleep(seconds)
        for task in openers:
            task.cancel()
        closed = sum(wire.closed for wire in wires)
    for wire in wires:
        wire.close()
    return Counter({"refused": refused, "ended by the server": closed, "open": len(wires) - closed}), probes


def _lines(found: Figures) -> list[Line]:
    lines = []
    for count, one in found.items():
        name = f"half headers, {count}"
        lines += [
            Line(f"{name}: after {one['held_seconds']:g} s", "none open", told(one["connections"])),
            Line(
                f"{name}: /livez",
                "all 200",
                f"{told(one['livez']['outcomes'])}; p99 {ms(one['livez']['p99_ms'])}",
            ),
            Line(f"{name}: valid searches", "all 200", told(one["valid"]["outcomes"])),
        ]
    return lines


SCENARIO = Scenario(10_000, attack, _lines)
