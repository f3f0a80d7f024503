"""Malformed requests: each connection is answered or closed in time, none with 500, errors in the form that is promised."""

import asyncio
import time
from collections import Counter

from tests.attack.answers import fault
from tests.attack.kept import Kept
from tests.attack.malformed import Malformed, requests
from tests.attack.scenario import Figures, Line, Plan, Scenario, Start, told
from tests.attack.wire import Address, Answer, Wire, run

_TOGETHER = 48
_DEADLINE = 30.0
# So that what waits for more does not wait long. Both are deadlines that a client is held to.
SETTINGS = {
    "TAXOHASH_UPLOAD_SECONDS": "1.5",
    "TAXOHASH_HEADER_SECONDS": "1.5",
    "TAXOHASH_KEEPALIVE_SECONDS": "2",
}


def attack(start: Start, plan: Plan) -> Figures:
    """Send them, each by a connection of its own, 48 at a time."""
    with start(SETTINGS) as target:
        begun = time.monotonic()
        found = run(lambda: _send(target.address, plan))
        return {
            **found,
            "of": plan.count,
            "a_second": round(found["requests"] / (time.monotonic() - begun), 1),
        }


async def _send(address: Address, plan: Plan) -> Figures:
    source, until, left = requests(plan.seed), time.monotonic() + plan.seconds, iter(range(plan.count))
    outcomes, kept = Counter[str](), Kept(plan.keep)
    longest = 0.0

    async def attacker() -> None:
        nonlocal longest
        for number in left:
            if time.monotonic() > until:
                return
            request = next(source)
            answer = await _ask(address, request)
            outcomes[answer.outcome] += 1
            longest = max(longest, answer.seconds)
            if wrong := answer.trouble.replace("closed", "") or fault(answer, plan.form, request.bodiless):
                kept.add(f"request {number} ({request.kind})", wrong, request.raw)

    await asyncio.gather(*(attacker() for _ in range(_TOGETHER)))
    return {
        "requests": outcomes.total(),
        "outcomes": dict(outcomes),
        "faults": dict(kept.faults),
        "longest_seconds": round(longest, 1),
    }


async def _ask(address: Address, request: Malformed) -> Answer:
    """The answer to a request; "closed" where the connection is closed without one."""
    begun = time.monotonic()
    try:
        wire = await Wire.open(address, _DEADLINE)
    except (OSError, TimeoutError):
        return Answer(trouble="refused")
    try:
        asked = asyncio.ensure_future(wire.ask(request.raw, _DEADLINE, bodiless=request.bodiless))
        if request.ended:
            await asyncio.sleep(0)  # it has been sent
            wire.end()
        answer = await asked
        return Answer(time.monotonic() - begun, answer.status, answer.headers, answer.body, answer.trouble)
    finally:
        wire.close()


def _lines(found: Figures) -> list[Line]:
    bad = {name: count for name, count in found["outcomes"].items() if name in ("500", "late", "refused")}
    other = {name: count for name, count in found["outcomes"].items() if name not in bad}
    return [
        Line(
            "malformed requests: 500, or neither answered nor closed",
            "none",
            f"{told(bad)} of {found['requests']:,}",
        ),
        Line("malformed requests: other answers", "", told(other)),
        Line("malformed requests: errors that have not the promised form", "none", told(found["faults"])),
        Line(
            "malformed requests: longest, where 1.5 s are promised",
            "few seconds",
            f"{found['longest_seconds']:g} s",
        ),
    ]


SCENARIO = Scenario(20_000, attack, _lines)
