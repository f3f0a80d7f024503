"""`taxohash pipeline prune`: what runs have left and nobody needs is removed."""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cli.places import home
from services import settings
from services.runs import EXIT_CODES, Verdict
from taxohash.runtime.terminal import console, printable, some, table

if TYPE_CHECKING:
    from pipelines.retention.plan import Decision, Kind, Thing
    from pipelines.retention.prune import Pruned

_MOST = 5  # kept for the same reason, told one by one
_WIDE = 24  # of a column


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "prune",
        help="remove what nobody needs any more",
        description="Show what runs have left of generations, trainings, outputs, caches and pulled data, what of it is kept and why. "
        "With --apply, what is not is removed. While a run goes on in --home, all is kept.",
    )
    parser.add_argument(
        "--home", type=Path, help="where runs, generations and records are; pipelines among the user's data"
    )
    parser.add_argument(
        "--keep",
        type=int,
        metavar="N",
        help="the newest runs and generations that are kept in any case; 5 if left out",
    )
    parser.add_argument(
        "--pin",
        action="append",
        default=[],
        metavar="ID",
        help=f"a generation that is kept in any case, repeated; {settings.PIN.name} is, too",
    )
    parser.add_argument(
        "--apply", action="store_true", help="do it; without this, it is only said what would be done"
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(given: argparse.Namespace) -> int:
    from pipelines.retention.plan import KEEP
    from pipelines.retention.prune import Pruning

    pins = frozenset(filter(None, (*given.pin, settings.PIN.of())))
    pruning = Pruning(home(given), keep=KEEP if given.keep is None else given.keep, pinned=pins)
    pruned = pruning.applied() if given.apply else pruning.planned()
    print(json.dumps(as_json(pruned))) if given.json else _show(pruned, given.apply)
    return EXIT_CODES[Verdict.FAILED] if pruned.trouble or pruned.spared else 0


def as_json(pruned: "Pruned") -> dict[str, Any]:
    """It for scripts; sizes in bytes."""
    return {
        "things": [{**_named(decision.thing), "kept": list(decision.reasons)} for decision in pruned.plan],
        "removed": [_named(thing) for thing in pruned.removed],
        "spared": [{**_named(spared.thing), "why": spared.reason} for spared in pruned.spared],
        "trouble": pruned.trouble,
    }


def _named(thing: "Thing") -> dict[str, Any]:
    return {"kind": thing.kind.value, "place": thing.place, "name": thing.name, "bytes": thing.bytes}


def _show(pruned: "Pruned", applied: bool) -> None:
    kept = [decision for decision in pruned.plan if decision.kept]
    for line in (*_reasons(kept), ""):
        print(printable(line))
    going = pruned.removed if applied else [own.thing for own in pruned.plan if not own.kept]
    gone = "removed" if applied else "goes"
    console().print(table(("", "kept", "MB", gone, "MB", ""), _sums(kept, going)))
    left = [f"left: {own.thing.kind} {own.thing.name}: {own.reason}" for own in pruned.spared]
    for line in (*pruned.trouble, *left):
        print(printable(line))
    total = _mb(sum(thing.bytes for thing in going))
    if applied:
        print(f"removed {total} MB")
    else:
        print(f"would remove {total} MB: nothing was done, give --apply to do it")


def _reasons(kept: Iterable["Decision"]) -> list[str]:
    """A line for each thing that is kept; what is kept for one reason is told together where it is much."""
    alike = defaultdict[tuple[str, str], list["Decision"]](list)
    for own in kept:
        alike[own.thing.kind, own.reasons[0]].append(own)
    lines = []
    for (kind, reason), group in alike.items():
        told = [group] if len(group) > _MOST else [[own] for own in group]
        for few in told:
            name = few[0].thing.name if len(few) == 1 else f"{len(few):,} of them"
            lines.append(f"kept  {kind:<{_WIDE}}  {name:<{_WIDE}}  {_mb(_bytes(few)):>8} MB  {reason}")
    return lines


def _bytes(few: Iterable["Decision"]) -> int:
    return sum(own.thing.bytes for own in few)


def _sums(kept: Iterable["Decision"], going: Iterable["Thing"]) -> list[tuple[str, ...]]:
    """Numbers and bytes by kind."""
    stays, goes = defaultdict["Kind", list["Thing"]](list), defaultdict["Kind", list["Thing"]](list)
    for decision in kept:
        stays[decision.thing.kind].append(decision.thing)
    for thing in going:
        goes[thing.kind].append(thing)
    return [
        (
            kind,
            *(f"{len(stays[kind]):,}", _mb(sum(thing.bytes for thing in stays[kind]))),
            *(f"{len(goes[kind]):,}", _mb(sum(thing.bytes for thing in goes[kind]))),
            some(thing.name for thing in goes[kind]),
        )
        for kind in dict.fromkeys([*stays, *goes])
    ]


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f}"
