"""Pictures that take much memory, many at a time, and nothing else: what all processes take at their peak."""

from tests.attack.bombs import bomb
from tests.attack.scenario import Figures, Line, Plan, Scenario, Start, told
from tests.attack.scenarios.bombs import send
from tests.attack.target import MEMORY, POD_BYTES, lasting
from tests.attack.watch import MIB, watching
from tests.attack.wire import run, search

# Those that took the most, read by Pillow: 200 to 800 MB each.
HEAVY = (
    "PNG of RGBA, 1 x 16,000,000",
    "PNG of a palette and tRNS, 1 x 16,000,000",
    "PNG of RGB, 1 x 16,000,000",
    "GIF, 2,000,000 comments",
    "WebP, 4,000 x 4,000 of one colour",
    "PNG of RGBA, 16 bits, interlaced",
)


def attack(start: Start, plan: Plan) -> Figures:
    """Send them in turn, 12 at a time, with the memory of each process limited to that of a pod."""
    order = [HEAVY[number % len(HEAVY)] for number in range(plan.count)]
    requests = {name: search(bomb(name)) for name in set(order)}
    with start({}, MEMORY) as target:
        before = lasting(target)
        with watching(target, every=0.02) as watch:
            outcomes, slowest = run(lambda: send(target.address, order, requests, plan.seconds))
        lost = before - lasting(target)
    return {
        "pictures": sum(outcomes.values()),
        "outcomes": dict(outcomes),
        "slowest_seconds": slowest,
        "lost": len(lost),
        **watch.figures(),
    }


def _lines(found: Figures) -> list[Line]:
    rss = found["rss_mib"]
    return [
        Line(
            f"pictures of much memory: all processes, of {POD_BYTES // MIB} MiB",
            "within, none lost",
            f"{rss['peak']:,} MiB, the greatest process {rss['greatest']:,}; {found['lost']} lost",
        ),
        Line("pictures of much memory: answers", "", f"{found['pictures']:,}: {told(found['outcomes'])}"),
    ]


SCENARIO = Scenario(200, attack, _lines)
