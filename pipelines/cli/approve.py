"""`taxohash pipeline approve`: a person publishes what a pipeline left to be approved."""

import argparse
from typing import Any

from services import settings
from services.codestore.cli.context import who
from services.codestore.generation_files import GenerationFiles
from services.codestore.own import code_store
from taxohash.errors import TaxohashError


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "approve",
        help="publish a generation that awaits approval",
        description="Publish a sealed generation. Who did it and why stays in the collection's audit.",
    )
    parser.add_argument("generation", help="id of the generation")
    parser.add_argument("--collection", default=settings.COLLECTION.of(), help="of the code store")
    parser.add_argument("--who", default="", help="for the audit; this user if left out")
    parser.add_argument("--why", default="approved", help="for the audit")
    parser.add_argument(
        "--instead-of",
        metavar="ID",
        help='the generation that it was compared with, "" for none: if another one is served by now, nothing is done',
    )
    parser.add_argument(
        "--wait", type=float, default=600.0, help="seconds for codes that a backfill still brings"
    )


def run(given: argparse.Namespace) -> int:
    with code_store() as store:
        known = {state.ref.id: state.state for state in store.generations(given.collection)}
        if given.generation not in known:
            raise TaxohashError(
                f"collection {given.collection!r} has no generation {given.generation!r}: choose from {', '.join(known) or 'none'}"
            )
        if known[given.generation] == "published":
            print(f"{given.generation} is published already")
            return 0
        if files := GenerationFiles.named():
            files.require(given.generation)  # what no service can load is never published
        before = store.publish(
            given.collection,
            given.generation,
            who=given.who or who(),
            why=given.why,
            wait=given.wait,
            instead_of=given.instead_of,
        )
    print(f"{given.generation} is published, instead of {before or 'none'}")
    return 0
