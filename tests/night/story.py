"""A night: data versions arrive, models get worse and better, a step fails, an approval is given and withdrawn, a disk fills.

After each hour what is published is what should be, and in the morning the history says all of it, line by line.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from services.runs import Outcome, Verdict
from taxohash.runtime.progress import announce
from tests.loop.catalogue import FIRST, SECOND
from tests.night.world import COLLECTION, World

ENOUGH, HASTY = ("--epochs", "20"), ("--epochs", "1")


class Line(NamedTuple):
    """An hour of the night."""

    hour: str
    happens: str
    comes: str
    seconds: float


@dataclass
class Night:
    """What has happened.

    Attributes:
        runs: verdicts by the names of runs.
        audit: what became of generations.
    """

    lines: list[Line] = field(default_factory=list)
    runs: dict[str, str] = field(default_factory=dict)
    audit: list[list[str]] = field(default_factory=list)

    def hour(self, hour: str, happens: str, act: Callable[[], str]) -> None:
        """Let something happen."""
        announce(f"{hour} {happens}")
        start = time.monotonic()
        comes = act()
        self.lines.append(Line(hour, happens, comes, time.monotonic() - start))
        announce(f"{hour} {comes}")


def tell(world: World) -> Night:
    """Let the night happen.

    Raises:
        AssertionError: something came otherwise.
    """
    night = Night()
    made: dict[str, str] = {}
    planned: dict[str, str] = {}

    def came(run: str, outcome: Outcome, verdict: Verdict, served: str, told: str = "") -> str:
        assert outcome.verdict is verdict, f"run {run} is {outcome.verdict}, not {verdict}: {outcome.reason}"
        assert told in outcome.reason, f"run {run} says {outcome.reason!r}, and nothing of {told!r}"
        if verdict in (Verdict.PUBLISHED, Verdict.AWAITING):
            made[run] = outcome.generation
        planned.pop(run, None)
        planned[run] = outcome.verdict.value
        serves(served)
        return f"{outcome.verdict}: {outcome.reason.split(': ')[0][:70]}"

    def serves(run: str) -> None:
        found, wanted = world.published(), made.get(run, "")
        assert found == wanted, f"{found or 'nothing'} is published, not {wanted or 'nothing'}"

    evening = world.data("evening", FIRST)
    night.hour(
        "22:00",
        "a catalogue arrives, and a first hasher is trained",
        lambda: came(
            "evening", world.run("retrain", "evening", evening, *ENOUGH), Verdict.PUBLISHED, "evening"
        ),
    )
    night.hour(
        "23:00",
        "another is trained in haste, and is worse",
        lambda: came(
            "hasty",
            world.run("retrain", "hasty", evening, *HASTY),
            Verdict.REFUSED,
            "evening",
            "worse than the champion",
        ),
    )
    wrong = world.data("wrong", FIRST, mislabelled=True)
    night.hour(
        "00:00",
        "a data version arrives whose labels are wrong",
        lambda: came(
            "wrong", world.run("retrain", "wrong", wrong, *ENOUGH), Verdict.REFUSED, "evening", "chance"
        ),
    )
    sold = world.data("sold", {label: count // 2 for label, count in FIRST.items()})
    night.hour(
        "01:00",
        "half of the catalogue is sold: what is left is reindexed",
        lambda: came(
            "reindexed",
            world.run("reindex", "reindexed", sold),
            Verdict.AWAITING,
            "evening",
            "much of the catalogue",
        ),
    )

    def approve() -> str:
        said = world.command(
            *("pipeline", "approve", made["reindexed"], "--collection", COLLECTION, "--who", "ann"),
            *("--why", "the shop has changed", "--instead-of", made["evening"]),
        )
        planned["reindexed"] = Verdict.AWAITING.value
        serves("reindexed")
        return said.strip()

    night.hour("01:30", "a person approves", approve)

    def withdraw() -> str:
        said = world.command("store", "rollback", "--collection", COLLECTION, "--why", "too early")
        serves("evening")
        return said.strip()

    night.hour("02:00", "and withdraws it", withdraw)
    midnight = world.data("midnight", SECOND)
    night.hour(
        "02:15",
        "things of a new kind arrive, to which the old hasher gives too few codes",
        lambda: came(
            "strange", world.run("reindex", "strange", midnight), Verdict.REFUSED, "evening", "bits less"
        ),
    )
    night.hour(
        "02:30",
        "a hasher of the new kinds is trained, and its step is killed",
        lambda: came(
            "night",
            world.killed_run("retrain", "night", midnight, "train", *ENOUGH),
            Verdict.FAILED,
            "evening",
        ),
    )
    night.hour(
        "03:00",
        "the same run again, and the disk is full",
        lambda: came(
            "night", world.run("retrain", "night", midnight, *ENOUGH, disk=False), Verdict.FAILED, "evening"
        ),
    )
    night.hour(
        "03:30",
        "the same run again, with room",
        lambda: came("night", world.run("retrain", "night", midnight, *ENOUGH), Verdict.PUBLISHED, "night"),
    )
    night.hour(
        "04:30",
        "a person wants the last word on another",
        lambda: came(
            "other",
            world.run("retrain", "other", midnight, *ENOUGH, "--seed", "1", "--policy", "approve=always"),
            Verdict.AWAITING,
            "night",
        ),
    )

    def refuse() -> str:
        words = ("--collection", COLLECTION)
        world.command("store", "discard", made["other"], *words, "--yes", "--why", "no better")
        world.command("pipeline", "approve", made["other"], *words, code=2)
        serves("night")
        return f"{made['other']} is discarded, and cannot be approved any more"

    night.hour("05:00", "which is no", refuse)
    night.hour(
        "05:30",
        "is what is asked still what the hasher knows?",
        lambda: came("drift", world.run("drift", "drift", None), Verdict.TOO_FEW, "night"),
    )

    def prune() -> str:
        home = str(world.home / "runs")
        world.command("pipeline", "prune", "--home", home, "--keep", "1", "--apply")
        serves("night")
        world.command("pipeline", "prune", "--home", home, "--keep", "1", "--apply")  # and nothing more
        return "what nobody needs is gone, the published and the one to go back to are there"

    night.hour("06:00", "what the night left is cleared", prune)

    night.runs = world.runs()
    assert night.runs == planned, f"the history says {night.runs}, and {planned} was so"
    audit = world.audit()
    # Where the pointer went, and of what was discarded its id.
    night.audit = [
        [one["operation"], one["generation"] or one["previous"], one["who"], one["why"]] for one in audit
    ]
    _check_audit(night.audit, made)
    _check_lineage(world, made)
    return night


def _check_audit(audit: list[list[str]], made: dict[str, str]) -> None:
    """Who published what, in order; and what was approved, withdrawn and discarded is told with why."""
    pointer = [(what, generation) for what, generation, *_ in audit if what in ("publish", "rollback")]
    wanted = [
        ("publish", made["evening"]),
        ("publish", made["reindexed"]),
        ("rollback", made["evening"]),
        ("publish", made["night"]),
    ]
    assert pointer == wanted, f"the audit says {pointer}, and {wanted} was so"
    reasons = {(what, generation): (who, why) for what, generation, who, why in audit}
    assert reasons["publish", made["reindexed"]] == ("ann", "the shop has changed")
    assert reasons["rollback", made["evening"]][1] == "too early"
    assert reasons["discard", made["other"]][1] == "no better"


def _check_lineage(world: World, made: dict[str, str]) -> None:
    """From the generation that is served in the morning, back to the first."""
    told: Any = json.loads(
        world.command("lineage", made["night"], "--collection", COLLECTION, "--all", "--json")
    )
    text = json.dumps(told)
    for run in ("night", "evening"):
        assert made[run] in text, f"the lineage of {made['night']} says nothing of {made[run]}"
