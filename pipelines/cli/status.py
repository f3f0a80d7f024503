"""`taxohash pipeline status`: the last runs, or one of them with its steps."""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pipelines.cli.places import add_places, runs
from pipelines.runners.runs import RunState
from pipelines.shared.summary import lines, minutes
from taxohash.runtime.configuration import plain
from taxohash.runtime.terminal import console, printable, table


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "status",
        help="the last runs, or one of them",
        description="The last runs on Kubeflow, if one is named, or on this machine; or one of them with its steps.",
    )
    parser.add_argument("run", nargs="?", default="", help="name of a run; the last ones if left out")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    add_places(parser)


def run(given: argparse.Namespace) -> int:
    there = runs(given)
    if not given.run:
        found = there.recent()
        print(json.dumps([as_json(state) for state in found])) if given.json else _list(found)
        return 0
    state = there.state(given.run)
    print(json.dumps(as_json(state))) if given.json else _show(state)
    return 0


def as_json(state: RunState) -> dict[str, Any]:
    """A run for scripts."""
    return {**asdict(state), "outcome": plain(state.outcome) if state.outcome else None}


def _list(found: Sequence[RunState]) -> None:
    rows = [(state.name, state.state, _time(state.started)) for state in found]
    console().print(table(("run", "state", "started (UTC)"), rows)) if rows else print("no runs")


def _show(state: RunState) -> None:
    rows = [(s.name, s.state, minutes(s.seconds) if s.seconds else "", s.reason) for s in state.steps]
    console().print(table(("step", "state", "time", "why"), rows, f"{state.name}: {state.state}"))
    for line in lines(state.outcome) if state.outcome else [f"more in     {state.address}"]:
        print(printable(line))


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
