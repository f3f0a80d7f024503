"""`taxohash pipeline cancel`: end a run."""

import argparse
from typing import Any

from pipelines.cli.places import add_places, runs
from taxohash.runtime.terminal import printable


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "cancel",
        help="end a run",
        description="End a run. What it published stays; what it did is not done again by the next.",
    )
    parser.add_argument("run", help="its name")
    add_places(parser)


def run(given: argparse.Namespace) -> int:
    print(printable(runs(given).cancel(given.run)))
    return 0
