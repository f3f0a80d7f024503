"""`taxohash store sampled`: look at queries that were kept, and remove them."""

import time
from typing import Annotated

import typer

from services.codestore.cli.context import Collection, Json, Yes, help_alone, only_told, print_json
from services.codestore.sampled import Kept, SampledQueries, SampledQuery
from services.settings import DURATION
from taxohash.errors import TaxohashError
from taxohash.runtime import terminal
from taxohash.runtime.configuration import plain
from taxohash.runtime.terminal import printable, shortened

app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})


@app.callback(invoke_without_command=True)
def sampled(asked: typer.Context) -> None:
    """Pictures that were searched for and kept (TAXOHASH_SAMPLE_SHARE): look at them, remove them."""
    help_alone(asked)


@app.command("list")
def list_sampled(
    most: Annotated[int, typer.Option(min=0, help="how many; 0 for all")] = 20,
    collection: Collection = "default",
    as_json: Json = False,
) -> None:
    """What was asked and answered, the newest first; each is a picture that any tool shows."""
    queries = SampledQueries.from_environment(collection)
    kept = queries.kept()
    chosen = kept[::-1][: most or None]
    read = ((one, queries.read(one)) for one in chosen)
    if as_json:  # a line each, as it comes
        for one, query in read:
            if query is not None:
                print_json({"name": one.name, "picture": one.digest} | plain(query.facts))
        return
    rows = [_row(one, query) for one, query in read]
    header = ("asked", "picture", "bytes", "generation", "nearest", "predicted")
    terminal.console().print(terminal.table(header, rows))
    size = sum(one.size for one in kept)
    print(printable(f"{len(kept):,} sampled queries, {size:,} bytes, in {queries.address}"))


@app.command("remove")
def remove(
    older_than: Annotated[
        str | None,
        typer.Option(help="only those that were asked so long ago, such as 12h or 7d", metavar="TIME"),
    ] = None,
    yes: Yes = False,
    collection: Collection = "default",
) -> None:
    """Remove them, all or the old ones."""
    queries = SampledQueries.from_environment(collection)
    before = time.time() - (_seconds(older_than) if older_than is not None else 0.0)
    going = [one for one in queries.kept() if older_than is None or one.when <= before]
    if not yes:
        only_told(f"remove {len(going):,} sampled queries in {queries.address}")
        return
    for one in going:
        queries.remove(one)
    print(f"removed {len(going):,} sampled queries")


def _seconds(text: str) -> float:
    try:
        return DURATION.parse(text)
    except ValueError:
        raise TaxohashError(f"--older-than is {text[:60]!r}: give {DURATION.wanted}") from None


def _row(one: Kept, query: SampledQuery | None) -> tuple[str, ...]:
    asked = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(one.when))
    named = asked, one.digest[:12], f"{one.size:,}"
    if query is None:
        return *named, "", "", "cannot be read"
    facts = query.facts
    predicted = "unlike" if facts.unlike else "/".join(node.name for node in facts.predicted or ())
    return *named, facts.generation, str(facts.nearest), shortened(predicted, 60)
