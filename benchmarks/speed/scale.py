"""A catalogue of any size on paper: what each step of it takes, from the rates that were measured here.

    python -m benchmarks.speed.scale [--items 1000000000] [--cores 256]

Nothing is run: rates are those of results/codestore.json, results/search.json and results/serving.json, and everything grows in
proportion, which holds for what is done item by item. docs/scale.md holds the table for one billion.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.common.places import RESULTS
from benchmarks.common.rows import Row, read_rows

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->\n"
ITEMS, CORES, BITS, CORES_A_POD = 1_000_000_000, 256, 64, 4
NETWORK = "efficientnet_lite0"


@dataclass(frozen=True)
class Rates:
    """What was measured, per item.

    Attributes:
        picture_bytes: of a picture as it is stored.
        encoded: pictures a second on one core, ONNX Runtime alone.
        store_bytes: of memory of the code store.
        fill_us: to write it, by one writer in batches of a thousand.
        process_bytes, peak_bytes: of a serving process that holds it, and while it loads.
        load_us: until it is followed into a searchable index.
        uniform_ns: of one exact search on one core, whatever the codes are.
        clustered_ns: of one where codes cluster around centres.
    """

    picture_bytes: float
    encoded: float
    store_bytes: float
    fill_us: float
    process_bytes: float
    peak_bytes: float
    load_us: float
    uniform_ns: float
    clustered_ns: float


def rates(results: Path = RESULTS) -> Rates:
    """Those of the committed results."""
    store, serving = read_rows(results / "codestore.json"), read_rows(results / "serving.json")
    search = read_rows(results / "search.json")
    held = _one(store, measure="process memory", way="held")
    return Rates(
        picture_bytes=_one(serving, measure="picture", network=NETWORK)["picture_bytes"],
        encoded=_one(
            serving, measure="onnx", network=NETWORK, numbers="float32", threads=1, at_once=1, batch=16
        )["per_second"],
        store_bytes=_one(store, measure="server memory", server="Valkey 9.1")["bytes"],
        fill_us=_one(store, measure="ingest", way="fill")["median_us"],
        process_bytes=held["resident"],
        peak_bytes=held["peak"],
        load_us=_one(store, measure="load", way="followed into a searchable index")["median_us"],
        uniform_ns=_searched(search, "uniform 100M x 64"),
        clustered_ns=_searched(search, "c10 10M x 64"),
    )


def lines(found: Rates, items: int = ITEMS, cores: int = CORES) -> list[str]:
    """The table, in Markdown."""
    encoding = items / found.encoded / 3600
    rows = [
        ("pictures at rest", _bytes(items * found.picture_bytes), f"{found.picture_bytes:,.0f} bytes a picture", "storage; moved once, into the pods that encode"),
        ("encode", f"{encoding:,.0f} core hours", f"{found.encoded:.1f} pictures/s a core", f"on {cores} cores, {cores // CORES_A_POD} pods of {CORES_A_POD}: {encoding / cores:.1f} h"),
        ("codes at rest", _bytes(items * BITS / 8), f"{BITS} bits", "storage of a generation, without ids"),
        ("fill the store", f"{items * found.fill_us / 3.6e9:.1f} h", f"{found.fill_us:.1f} us an item, one writer, one server", "shared out over the servers of a Redis Cluster, a writer each"),
        ("store", _bytes(items * found.store_bytes), f"{found.store_bytes:.0f} bytes an item", "memory, twice with a replica; while two generations live, more"),
        ("serving process", _bytes(items * found.process_bytes), f"{found.process_bytes:.1f} bytes an item, {found.peak_bytes:.1f} while loading", f"memory of each replica; {_bytes(items * found.peak_bytes)} while loading"),
        ("load a replica", f"{items * found.load_us / 6e7:.0f} min", f"{found.load_us:.2f} us an item", "at each start; a swap loads beside what is served"),
        ("search, any codes", f"{items * found.uniform_ns / 1e6:,.0f} ms", f"{1 / found.uniform_ns:.1f} G codes/s a core", "a core for each search under way"),
        ("search, clustered codes", f"{items * found.clustered_ns / 1e6:,.1f} ms", f"{1 / found.clustered_ns:.0f} G codes/s a core", "as codes of class-wise hashers are"),
    ]  # fmt: skip
    head = [f"| of {items:,} items | takes | as measured here | what it costs |", "|---|---|---|---|"]
    return head + [f"| {' | '.join(row)} |" for row in rows]


def page(text: str, table: list[str]) -> str:
    """The page with this table."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n".join(table) + "\n" + END + rest.partition(END)[2]


def main(
    items: Annotated[int, typer.Option(min=1, help="of the catalogue")] = ITEMS,
    cores: Annotated[int, typer.Option(min=CORES_A_POD, help="that encode side by side")] = CORES,
) -> None:
    """Print the table; the one of docs/scale.md is renewed where nothing else is asked for."""
    table = lines(rates(), items, cores)
    print("\n".join(table))
    if (items, cores) == (ITEMS, CORES):
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")


def _one(rows: list[Row], **wanted: Any) -> Row:
    matches: Callable[[Row], bool] = lambda row: all(row.get(name) == value for name, value in wanted.items())  # noqa: E731
    (found, *_) = [row for row in rows if matches(row)]
    return found


def _searched(rows: list[Row], case: str) -> float:
    """Nanoseconds a code of one search at a time, the median."""
    row = _one(rows, case=case)
    times = _one(row["times"], method="taxohash", batch=1, k=10)
    return float(times["median_ms"] * 1e6 / row["codes"])


def _bytes(count: float) -> str:
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.3g} {unit}"
    return f"{count:,.0f} bytes"


if __name__ == "__main__":
    typer.run(main)
