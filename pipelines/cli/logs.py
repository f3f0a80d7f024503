"""`taxohash pipeline logs`: what the steps of a run have written."""

import argparse
import sys
from typing import Any

from pipelines.cli.places import add_places, runs


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "logs",
        help="what a run has written",
        description="What the steps of a run have written, or one of them.",
    )
    parser.add_argument("run", help="name of the run")
    parser.add_argument("step", nargs="?", default="", help="name of a step; all if left out")
    add_places(parser)


def run(given: argparse.Namespace) -> int:
    sys.stdout.write(runs(given).log(given.run, given.step))
    return 0
