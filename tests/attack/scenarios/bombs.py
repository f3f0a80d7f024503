"""Pictures that are much work, many at a time, while others search."""

import asyncio
import time
from collections import Counter

from tests.attack.bombs import BOMBS, bomb
from tests.attack.load import searching
from tests.attack.scenario import Figures, Line, Plan, Scenario, Start, ms, told
from tests.attack.target import MEMORY, POD_BYTES, lasting
from tests.attack.watch import MIB, watching
from tests.attack.wire import Address, Client, run, search

_TOGETHER = 12
_RATE = 20.0  # valid searches a second
_IDLE_SECONDS = 8.0
_DEADLINE = 60.0
_WORST = ("JPEG of 2,988 scans", "PNG of RGBA, 1 x 16,000,000", "JPEG of 332,440 scans")


def names(count: int) -> list[str]:
    """Which bombs: half of them the three that were known first, the others in turn."""
    others = [name for name in BOMBS if name not in _WORST]
    return [
        _WORST[number // 2 % len(_WORST)] if number % 2 else others[number // 2 % len(others)]
        for number in range(count)
    ]


def attack(start: Start, plan: Plan) -> Figures:
    """Send all bombs, with the memory of each process limited to that of a pod."""
    order = names(plan.count)
    requests = {name: search(bomb(name)) for name in set(order)}
    with start({}, MEMORY) as target:
        before = lasting(target)
        with searching(target.url, _RATE) as samples:
            begun = time.monotonic()
            time.sleep(_IDLE_SECONDS * plan.pace)
            with watching(target) as watch:
                attacked = time.monotonic()
                outcomes, slowest = run(lambda: send(target.address, order, requests, plan.seconds))
                over = time.monotonic()
            time.sleep(_IDLE_SECONDS * plan.pace)
        lost = before - lasting(target)
        return {
            "bombs": sum(outcomes.values()),
            "of": plan.count,
            "seconds": round(over - attacked, 1),
            "outcomes": dict(outcomes),
            "slowest_seconds": slowest,
            "valid": {
                "idle": samples.between(begun, attacked),
                "attacked": samples.between(attacked, over),
                "afterwards": samples.between(over, time.monotonic()),
            },
            "lost": len(lost),
            **watch.figures(),
        }


async def send(
    address: Address, order: list[str], requests: dict[str, bytes], seconds: float
) -> tuple[Counter[str], dict[str, float]]:
    """Outcomes; and of the slowest five kinds the seconds."""
    client, waiting = Client(address, _DEADLINE), iter(order)
    outcomes: Counter[str] = Counter()
    times: dict[str, float] = {}

    async def attacker() -> None:
        for name in waiting:
            answer = await client.ask(requests[name])
            outcomes[answer.outcome] += 1
            times[name] = max(times.get(name, 0.0), round(answer.seconds, 2))

    attackers = asyncio.gather(*(attacker() for _ in range(_TOGETHER)), return_exceptions=True)
    try:
        async with asyncio.timeout(seconds):
            await attackers
    except TimeoutError:
        pass
    client.close()
    slowest = sorted(times, key=lambda name: -times[name])[:5]
    return outcomes, {name: times[name] for name in slowest}


def _lines(found: Figures) -> list[Line]:
    idle, attacked = found["valid"]["idle"], found["valid"]["attacked"]
    ratio = f" ({attacked['p99_ms'] / idle['p99_ms']:.1f} x idle)" if attacked["p99_ms"] else ""
    answered = f"{found['bombs']:,} of {found['of']:,} in {found['seconds']:g} s"
    return [
        Line("bombs answered", "all", f"{answered}: {told(found['outcomes'])}"),
        Line("valid searches meanwhile", "all 200", told(attacked["outcomes"])),
        Line("their p99", "at most 3 x idle", ms(attacked["p99_ms"]) + ratio),
        Line(
            f"memory of all processes, of {POD_BYTES // MIB} MiB",
            "within",
            f"{found['rss_mib']['peak']:,} MiB, {found['lost']} processes lost",
        ),
    ]


SCENARIO = Scenario(1000, attack, _lines)
