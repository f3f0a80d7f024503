"""Uploads of every kind: each is answered, none with 500, and each refusal in the form that is promised."""

import asyncio
import time
from collections import Counter

from tests.attack.answers import fault
from tests.attack.kept import Kept
from tests.attack.scenario import Figures, Line, Plan, Scenario, Start, told
from tests.attack.target import lasting
from tests.attack.uploads import uploads
from tests.attack.watch import watching
from tests.attack.wire import Address, Client, run, search

_TOGETHER = 16
_DEADLINE = 60.0


def attack(start: Start, plan: Plan) -> Figures:
    """Send them, 16 at a time."""
    with start({}) as target, watching(target, every=0.5) as watch:
        before = lasting(target)
        begun = time.monotonic()
        found = run(lambda: _send(target.address, plan))
        seconds = time.monotonic() - begun
        lost = before - lasting(target)
    return {
        **found,
        "of": plan.count,
        "a_second": round(found["uploads"] / seconds, 1),
        "lost": len(lost),
        **watch.figures(),
    }


async def _send(address: Address, plan: Plan) -> Figures:
    client, source, until = Client(address, _DEADLINE), uploads(plan.seed), time.monotonic() + plan.seconds
    left, kept = iter(range(plan.count)), Kept(plan.keep)
    outcomes: Counter[str] = Counter()
    kinds: dict[str, Counter[str]] = {}

    async def attacker() -> None:
        for number in left:
            if time.monotonic() > until:
                return
            kind, picture = next(source)
            answer = await client.ask(search(picture, k=1))
            outcomes[answer.outcome] += 1
            kinds.setdefault(kind, Counter())[answer.outcome] += 1
            if wrong := answer.trouble or fault(answer, plan.form):
                kept.add(f"upload {number} ({kind})", wrong, picture)

    await asyncio.gather(*(attacker() for _ in range(_TOGETHER)))
    client.close()
    return {
        "uploads": outcomes.total(),
        "outcomes": dict(outcomes),
        "kinds": {kind: dict(counts) for kind, counts in sorted(kinds.items())},
        "faults": dict(kept.faults),
    }


def _lines(found: Figures) -> list[Line]:
    bad = {name: count for name, count in found["outcomes"].items() if not name.isdigit() or name == "500"}
    other = {name: count for name, count in found["outcomes"].items() if name not in bad}
    what = f"{found['uploads']:,} uploads, {found['a_second']:g} a second"
    return [
        Line("uploads of every kind: 500, late or closed", "none", f"{told(bad)} of {what}"),
        Line("uploads of every kind: other answers", "", told(other)),
        Line("uploads of every kind: errors that have not the promised form", "none", told(found["faults"])),
    ]


SCENARIO = Scenario(200_000, attack, _lines)
