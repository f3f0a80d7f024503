"""Collections and their generations: `taxohash store create|status|generations|publish|...`."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from services.codestore.cli import items, safety, sampled
from services.codestore.cli.context import (
    Collection,
    Json,
    Why,
    Yes,
    help_alone,
    only_told,
    print_json,
    who,
)
from services.codestore.generations import CollectionState
from services.codestore.own import code_store
from services.codestore.pictures import Pictures
from services.codestore.unused_pictures import sweep_unused
from services.codestore.upgrade import finish
from services.codestore.upgrade import upgrade as copy_layout_3
from taxohash.errors import TaxohashError
from taxohash.runtime import terminal
from taxohash.runtime.progress import announce, bars
from taxohash.runtime.terminal import printable
from taxohash.taxonomy import Taxonomy

app = typer.Typer(
    name="store",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(items.app, name="items")
app.add_typer(sampled.app, name="sampled")
app.add_typer(safety.app)


@app.callback(invoke_without_command=True)
def commands(asked: typer.Context) -> None:
    """The code store that TAXOHASH_REDIS_URL names, or the one among the user's data."""
    help_alone(asked)


def main(words: Sequence[str]) -> int:
    """Run one command; the words after `taxohash store`."""
    code = app(args=list(words), prog_name="taxohash store", standalone_mode=False)
    return int(code or 0)


@app.command("create")
def create(
    taxonomy: Annotated[Path, typer.Argument(help="taxonomy.json, or the folder of a data set with one")],
    segments: Annotated[
        int, typer.Option(help="parts that it is spread over; some ten thousand items each")
    ] = 16,
    collection: Collection = "default",
) -> None:
    """Make a collection for a taxonomy; nothing happens if it is there."""
    with code_store() as connected:
        connected.create(collection, Taxonomy.load(taxonomy), segments)
        print(
            printable(
                f"collection {collection}: {len(connected.taxonomy(collection)):,} labels, {segments} segments"
            )
        )


@app.command("grow")
def grow(
    taxonomy: Annotated[
        Path, typer.Argument(help="the new taxonomy.json, or the folder of a data set with one")
    ],
    renamed: Annotated[
        list[str] | None,
        typer.Option(help="a label or node that was renamed or moved, repeated", metavar="OLD=NEW"),
    ] = None,
    why: Why = "",
    collection: Collection = "default",
) -> None:
    """Give a collection a new version of its taxonomy. Labels keep their numbers; generations of older versions go on."""
    pairs = {}
    for pair in renamed or ():
        old, equals, new = pair.partition("=")
        if not equals or not old or not new:
            raise TaxohashError(f"--renamed {pair!r}: write it as OLD=NEW, paths such as tops/shirt")
        pairs[tuple(old.split("/"))] = tuple(new.split("/"))
    with code_store() as connected:
        grown = connected.grow(collection, Taxonomy.load(taxonomy), pairs, who=who(), why=why)
    print(
        printable(
            f"collection {collection}: taxonomy version {grown.version}, {len(grown.taxonomy):,} labels,"
            f" {len(grown.retired):,} numbers without one"
        )
    )


@app.command("status")
def status(collection: Collection = "default", as_json: Json = False) -> None:
    """Items, generations, who holds them, and what the server's settings cannot promise."""
    with code_store() as connected:
        state, warnings = connected.state(collection), connected.promises()
    if as_json:
        print_json(_as_dict(state) | {"warnings": warnings})
        return
    terminal.console().print(_generations(state))
    deleted = f", {state.deleted:,} of data sets deleted by hand" if state.deleted else ""
    print(printable(f"{collection}: {state.items:,} items in {state.segments} segments{deleted}"))
    for (generation, process), seconds in state.leases.items():
        print(printable(f"{generation} is held by {process} for {seconds:.0f} s more"))
    for warning in warnings:
        print(printable(f"warning: {warning}"))


@app.command("generations")
def generations(collection: Collection = "default", as_json: Json = False) -> None:
    """All generations, the oldest first."""
    with code_store() as connected:
        state = connected.state(collection)
    if as_json:
        print_json(_as_dict(state)["generations"])
    else:
        terminal.console().print(_generations(state))


@app.command("publish")
def publish(
    generation: Annotated[str, typer.Argument(help="id of a sealed generation")],
    wait: Annotated[float, typer.Option(help="seconds to wait until no code lacks")] = 60.0,
    why: Why = "",
    collection: Collection = "default",
) -> None:
    """Serve this generation from now on."""
    with code_store() as connected:
        previous = connected.publish(collection, generation, who=who(), why=why, wait=wait)
    print(printable(f"published {generation}" + (f", before {previous}" if previous else "")))


@app.command("rollback")
def rollback(why: Why = "", collection: Collection = "default") -> None:
    """Serve the generation that was published before, at once."""
    with code_store() as connected:
        print(printable(f"published {connected.rollback(collection, who=who(), why=why)} again"))


@app.command("audit")
def audit(
    most: Annotated[int, typer.Option(help="how many")] = 20,
    collection: Collection = "default",
    as_json: Json = False,
) -> None:
    """Who published, rolled back and removed what, when and why; the newest first."""
    with code_store() as connected:
        entries = connected.audit(collection, most)
    if as_json:
        print_json(entries)
        return
    rows = [
        (_day(entry.when), entry.operation, entry.previous, entry.generation, entry.who, entry.why)
        for entry in entries
    ]
    terminal.console().print(terminal.table(("when", "what", "from", "to", "who", "why"), rows))


@app.command("discard")
def discard(
    generation: Annotated[str, typer.Argument(help="id of a generation that is not published")],
    yes: Yes = False,
    why: Why = "",
    collection: Collection = "default",
) -> None:
    """Delete a generation's codes."""
    with code_store() as connected:
        known = {state.ref.id: state for state in connected.generations(collection)}
        if not yes and generation in known and known[generation].state != "published":
            only_told(f"delete the {known[generation].codes:,} codes of generation {generation}")
            return
        connected.discard(collection, generation, who=who(), why=why)
    print(printable(f"discarded {generation}"))


@app.command("gc")
def gc(
    with_pictures: Annotated[
        bool,
        typer.Option(
            "--pictures",
            help="besides pictures in TAXOHASH_PICTURES that no item has named for a day, of any collection that can be listed",
        ),
    ] = False,
    yes: Yes = False,
    collection: Collection = "default",
    as_json: Json = False,
) -> None:
    """Remove generations that nobody can go back to, items that no generation has, and the room they leave."""
    with code_store() as connected:
        if not yes:
            dead = [state.ref.id for state in connected.generations(collection) if not state.live]
            only_told(
                f"drop {', '.join(dead) or 'no generation'}, and items of data sets that no other generation has"
                + (", and pictures that no item names" if with_pictures else "")
            )
            return
        collected = connected.gc(collection, who=who(), told=announce)
        swept = None
        if with_pictures:
            announce("removing pictures that no item names")
            swept = sweep_unused(connected, collection, Pictures.from_environment())
    if as_json:
        print_json(asdict(collected) | ({} if swept is None else {"pictures": swept}))
        return
    print(
        printable(
            f"dropped {', '.join(collected.generations) or 'no generation'}, {collected.items:,} items; "
            f"moved {collected.moved:,} rows" + ("" if swept is None else f"; removed {swept:,} pictures")
        )
    )


@app.command("upgrade")
def upgrade(
    remove_old: Annotated[
        bool,
        typer.Option(
            "--remove-old", help="instead, remove what the release before has, once none of its pods runs"
        ),
    ] = False,
    yes: Yes = False,
    collection: Collection = "default",
) -> None:
    """Copy a collection of the release before into today's layout, beside the old one, which its pods go on reading.

    Thumbnails go to the picture store that TAXOHASH_PICTURES names. Cut short, it goes on when it is called again.
    """
    with code_store() as connected:
        if remove_old:
            if not yes:
                only_told(f"remove the keys of layout 3 of collection {collection}")
                return
            print(printable(f"removed {finish(connected.server, connected, collection):,} keys of layout 3"))
            return
        with bars() as progress:
            task = progress.add_task(f"copying {collection}", total=None, note="")

            def told(done: int, rows: int) -> None:
                progress.update(task, completed=done, total=rows)

            copy_layout_3(connected.server, connected, Pictures.from_environment(), collection, told, who())
        state = connected.state(collection)
    print(
        printable(
            f"{collection}: {state.items:,} items, published {state.history[0] if state.history else 'nothing'}"
        )
    )


def _as_dict(state: CollectionState) -> dict[str, object]:
    leases = [
        {"generation": generation, "process": process, "seconds": round(left, 1)}
        for (generation, process), left in state.leases.items()
    ]
    return asdict(state) | {"leases": leases}


def _generations(state: CollectionState) -> object:
    rows = [
        (
            known.ref.id,
            known.state if known.live else f"{known.state}, to be collected",
            _day(known.created),
            str(known.ref.bits),
            f"{known.members:,}",
            f"{known.members - known.codes - known.quarantined:,}",
            f"{known.quarantined:,}",
        )
        for known in state.generations
    ]
    header = ("generation", "state", "begun", "bits", "items", "lacking", "quarantined")
    return terminal.table(header, rows, right=4)


def _day(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(when))
