"""kill -9 of each kind of process of the service, while others search."""

import time
from collections import Counter
from typing import Any

from tests.attack.load import Samples, searching
from tests.attack.scenario import Figures, Line, Plan, Scenario, Start, told
from tests.attack.target import Target, lives, roles

KINDS = ("worker", "starter", "between", "decoder")
_RATE = 20.0
_BEFORE_SECONDS = 2.0
_WATCHED_SECONDS = 30.0
_LEFT_SECONDS = 10.0  # until whatever has lost its parent must have ended


def attack(start: Start, plan: Plan) -> Figures:
    """Kill one of each kind, each of a service of its own, `plan.count` kinds at most."""
    found: Figures = {}
    for kind in KINDS[: plan.count]:
        with start({}) as target:
            if roles(target)[kind]:
                found[kind] = kill(target, kind, plan.pace)
    return found


def kill(target: Target, kind: str, pace: float = 1.0) -> dict[str, Any]:
    """Kill one of a kind; what became of searches, and of the other processes."""
    family, victim = target.family(), roles(target)[kind][0]
    with searching(target.url, _RATE, "fresh") as samples:
        time.sleep(_BEFORE_SECONDS * pace)
        killed = time.monotonic()
        victim.kill()
        if target.process is not None and victim.pid == target.pid:
            target.process.wait()
        time.sleep(_LEFT_SECONDS * pace)
        left = [process for process in family if process.pid != victim.pid and lives(process)]
        time.sleep((_WATCHED_SECONDS - _LEFT_SECONDS) * pace)
    return {
        "answered_again_seconds": _again(samples, killed),
        "outcomes": dict(Counter(sample.outcome for sample in samples.found if sample.due >= killed)),
        "longest_seconds": round(
            max((sample.seconds for sample in samples.found if sample.due >= killed), default=0.0), 1
        ),
        "processes": len(family),
        "left": len(left),
    }


def _again(samples: Samples, killed: float) -> float | None:
    """Seconds after the kill since when every search is answered with 200; None for never."""
    later = [sample for sample in samples.found if sample.due >= killed]
    bad = [sample.due for sample in later if sample.outcome != "200" or sample.seconds > 1.0]
    if not bad:
        return 0.0
    good = [sample.due for sample in later if sample.due > max(bad)]
    return round(min(good) - killed, 1) if good else None


def _lines(found: Figures) -> list[Line]:
    lines = []
    for kind, one in found.items():
        again = one["answered_again_seconds"]
        after = "never" if again is None else f"after {again:g} s"
        text = f"{told(one['outcomes'])}, longest {one['longest_seconds']:g} s"
        if kind in ("starter", "between"):
            rest = f"{one['left']} of {one['processes'] - 1} processes left; {text}"
            lines.append(Line(f"kill -9 of the {kind}", "nothing left, or replaced", rest))
        else:
            lines.append(Line(f"kill -9 of a {kind}: answered again", "within 5 s", f"{after}; {text}"))
    return lines


SCENARIO = Scenario(4, attack, _lines)
