"""`taxohash store backup|rehearse|restore|verify|repair`: that nothing is lost, and what to do where something is."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID

from services.codestore.cli.context import Collection, Json, Why, Yes, only_told, print_json, who
from services.codestore.integrity.backup import backup as back_up
from services.codestore.integrity.backup import copy_of
from services.codestore.integrity.backup import restore as put_back
from services.codestore.integrity.backups import dated as address_now
from services.codestore.integrity.backups import make_way, newest
from services.codestore.integrity.repair import apply, backup_side
from services.codestore.integrity.repair import plan as planned
from services.codestore.integrity.verify import verify as look_at
from services.codestore.own import code_store
from services.codestore.pictures import Pictures
from services.codestore.rehearsal import rehearse as try_out
from services.settings import COLLECTION
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import bars
from taxohash.runtime.terminal import printable

app = typer.Typer()

Generation = Annotated[str | None, typer.Option(help="id of the generation; the published one by default")]
Hasher = Annotated[Path | None, typer.Option(help="folder of the generation's own files")]


@app.command("backup")
def backup(
    destination: Annotated[str, typer.Argument(help="a folder, or s3://bucket/prefix, without a backup")],
    generation: Generation = None,
    hasher: Hasher = None,
    by_reference: Annotated[
        bool, typer.Option("--by-reference", help="name pictures and hasher instead of copying them")
    ] = False,
    dated: Annotated[
        bool, typer.Option("--dated", help="into a folder of the destination that is named by the time")
    ] = False,
    keep: Annotated[
        int | None, typer.Option(min=1, help="with --dated: how many stay there, the newest; all by default")
    ] = None,
    collection: Collection = "default",
    as_json: Json = False,
) -> None:
    """Copy one generation and the catalogue, with pictures and hasher, each segment as it is at one position."""
    if keep is not None and not dated:
        raise TaxohashError("--keep is of backups that are named by the time: give --dated too")
    with code_store() as connected, _progress() as told:
        made = back_up(
            connected,
            collection,
            address_now(destination, collection) if dated else destination,
            generation=generation,
            pictures=Pictures.from_environment(),
            hasher=hasher,
            how="reference" if by_reference else "content",
            progress=told,
        )
    removed = make_way(destination, collection, keep) if keep is not None else []
    if as_json:
        told_of = {"address": made.address, "pictures": made.pictures, "missing": made.missing}
        print_json(told_of | ({"removed": removed} if dated else {}))
        return
    print(printable(f"backed up to {made.address}, with {made.pictures:,} pictures"))
    for digest in made.missing:
        print(printable(f"warning: picture {digest} is in no store"))
    for name in removed:
        print(printable(f"removed {name}"))


@app.command("rehearse")
def rehearse(
    source: Annotated[str, typer.Argument(help="where dated backups lie: a folder, or s3://bucket/prefix")],
    collection: Collection = "default",
    as_json: Json = False,
) -> None:
    """Restore the newest dated backup into a server of its own and compare; exit code 1 where something differs.

    The store itself is not asked, and pictures are left out.
    """
    with _progress() as told:
        done = try_out(newest(source, collection), progress=told)
    if as_json:
        print_json(done)
    else:
        for finding in done.findings:
            print(printable(finding))
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(done.created))
        state = f"{len(done.findings):,} findings" if done.findings else "whole"
        print(
            printable(
                f"{done.address} of {when}: {done.items:,} items, generation {done.generation}, {state}"
            )
        )
    raise typer.Exit(done.exit_status)


@app.command("restore")
def restore(
    source: Annotated[str, typer.Argument(help="folder or s3:// address of a backup")],
    the_newest: Annotated[
        bool, typer.Option("--newest", help="of the dated backups that lie there of TAXOHASH_COLLECTION")
    ] = False,
    collection: Annotated[
        str | None, typer.Option(help="name of the collection to be made; that of the backup by default")
    ] = None,
    publish: Annotated[bool, typer.Option("--publish", help="publish its generation too")] = False,
    hasher: Hasher = None,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Make a collection from a backup, verified before it can be used."""
    with code_store() as connected, _progress() as told:
        made = put_back(
            connected,
            newest(source, COLLECTION.of()) if the_newest else source,
            collection,
            publish=publish,
            pictures=Pictures.from_environment(),
            hasher=hasher,
            who=who(),
            why=why,
            progress=told,
        )
    if as_json:
        print_json(made)
        return
    what = (
        f"{made.collection}: {made.items:,} items, {made.pictures:,} pictures, generation {made.generation}"
    )
    print(printable(f"{what}, {'published' if made.published else 'sealed'}"))


@app.command("verify")
def verify(
    against: Annotated[list[str] | None, typer.Option(help="a backup to compare with, repeated")] = None,
    collection: Collection = "default",
    as_json: Json = False,
) -> None:
    """Compare a collection's bytes with its checksums, counts and index, and with backups; exit code 1 where something differs."""
    with code_store() as connected, bars() as progress:
        task = progress.add_task(f"looking at {collection}", total=None, note="")

        def told(done: int, segments: int) -> None:
            progress.update(task, completed=done, total=segments)

        report = look_at(connected, collection, [copy_of(address) for address in against or ()], told)
    if as_json:
        print_json(report)
    else:
        for finding in report.findings:
            print(printable(finding))
        for note in report.notes:
            print(printable(f"note: {note}"))
        state = f"{len(report.findings):,} findings" if report.findings else "whole"
        print(printable(f"{collection}: {report.items:,} items in {len(report.positions)} segments, {state}"))
    raise typer.Exit(report.exit_status)


@app.command("repair")
def repair(
    backup: Annotated[
        list[str] | None, typer.Option(help="address of a backup to take bytes from, repeated")
    ] = None,
    yes: Yes = False,
    collection: Collection = "default",
) -> None:
    """Mend what `verify` finds, from the side whose bytes agree with the stored checksum; exit code 1 where something is left."""
    with code_store() as connected:
        plan = planned(connected, collection, [backup_side(address) for address in backup or ()])
        for line in plan.lines():
            print(printable(line))
        left: Sequence[object] = plan.hopeless
        if not plan.mends:
            print("there is nothing that can be mended" if left else "there is nothing to mend")
        elif not yes:
            only_told(f"mend {len(plan.mends):,} segments")
            left = (*left, *plan.mends)
        else:
            left = (*left, *apply(connected, plan))
            print(printable(f"mended {len(plan.mends):,} segments, {len(left):,} findings are left"))
    raise typer.Exit(int(bool(left)))


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Bars by what they are of."""
    with bars() as progress:
        tasks: dict[str, TaskID] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=None, note="")
            progress.update(tasks[what], completed=done, total=total or None)

        yield told
