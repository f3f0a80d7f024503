"""`taxohash pipeline run`: a pipeline on this machine."""

import argparse
from pathlib import Path
from typing import Any

from pipelines.cli.places import home
from pipelines.runners.parameters import add_arguments, of_data, parameters
from pipelines.shared.events import Event
from pipelines.shared.summary import lines, minutes
from services.runs import EXIT_CODES, Outcome, Verdict
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import console
from taxohash.runtime.terminal import printable


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "run",
        help="run a pipeline on this machine",
        description="Run a pipeline on this machine, to its end. Repeated, it does not do again what was done.",
    )
    parser.add_argument("--data", type=Path, help="data set folder")
    parser.add_argument(
        "--home", type=Path, help="where runs, generations and records go; pipelines among the user's data"
    )
    add_arguments(parser)


def run(given: argparse.Namespace) -> int:
    asked = parameters(given)
    if of_data(given) and (given.data is None) == (given.revision is None):
        raise TaxohashError(
            "the data are named by --data, or by --revision with --remote: give one of the two"
        )
    from pipelines.runners import local

    placed = local.place(home(given), given.data)
    if given.revision is not None:
        placed |= {
            "repository": _here(given.repository),
            "revision": given.revision,
            "remote": given.remote,
        }
    say(f"run {asked['run']} in {placed['work']}")
    outcome = local.run(given.pipeline, asked | placed, Told(), say)
    show(outcome, given.json)
    return EXIT_CODES[outcome.verdict]


def show(outcome: Outcome, as_json: bool) -> None:
    """Print a run's eleven lines, or one of a run that was interrupted; with its JSON, these go to standard error."""
    if outcome.verdict is Verdict.INTERRUPTED:
        say(f"run {outcome.run} was interrupted: {outcome.reason}")
    for line in lines(outcome) if outcome.verdict is not Verdict.INTERRUPTED else ():
        if as_json:
            say(line)
        else:
            print(printable(line))
    if as_json:
        print(outcome.to_json(), flush=True)


def say(text: str) -> None:
    """A line for whoever watches, on standard error."""
    console.print(printable(text), soft_wrap=True)


class Told:
    """Says when steps start, end and fail."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        if event.kind == "started":
            self._since[event.step] = event.time
            say(f"{event.step} ...")
        elif event.kind == "ended":
            spent = event.time - self._since.get(event.step, event.time)
            say(f"{event.step}: {minutes(spent)}")
        else:
            say(f"{event.step} failed: {event.reason}")


def _here(repository: str) -> str:
    """Steps run elsewhere: a folder is named in full."""
    return str(Path(repository).resolve()) if Path(repository).is_dir() else repository
