"""What pods take and give, from what was measured: the table of docs/operations.md.

    python -m benchmarks.speed.capacity

Nothing is run: figures are those of results/codestore.json, results/serving.json and results/cold-start.json, each with the
commit it was measured at. Requests a core are seconds over the CPU time of all processes of the service, medians.
"""

from pathlib import Path
from typing import Any

from benchmarks.common.places import RESULTS
from benchmarks.common.rows import Row, commits, read_rows

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
BEGIN, END = "<!-- capacity:begin -->\n", "<!-- capacity:end -->\n"
_MILLION, _MEDIAN = 1_000_000, 1


def lines(results: Path = RESULTS) -> list[str]:
    """The table, in Markdown."""
    store, serving = read_rows(results / "codestore.json"), read_rows(results / "serving.json")
    starts = read_rows(results / "cold-start.json")
    small, large = (_row(store, measure="process memory", items=count * _MILLION) for count in (1, 10))
    servers = {name: _row(store, measure="server memory", server=name) for name in ("Valkey 9.1", "Redis 8")}
    upsert, fill = (_row(store, measure="ingest", way=way, batch=1000) for way in ("upsert", "fill"))
    publish, visible = _row(store, measure="publish"), _row(store, measure="visible")
    ready = _row(starts, measure="ready", way="Bento", items=_MILLION)
    rows = [
        ("memory of a retrieval pod, a million codes", f"{_mib(small['resident'])} MiB, {_mib(small['peak'])} while they load; of ten million each {_mib(large['resident'])} and {_mib(large['peak'])}", small),
        *((f"memory of the store, a million items, {name}", f"{_mib(row['bytes'])} MiB a generation", row) for name, row in servers.items()),
        *(
            (f"searches by code a core, a million {kind} codes", f"{_a_core(row):,.0f} a second", row)
            for kind in ("clustered", "uniform")
            for row in [_row(serving, measure="code", host="uvicorn", kind=kind, connections=16)]
        ),
        *(
            (f"searches by picture a core, {name}", f"{_a_core(row):,.0f} a second", row)
            for name in ("small-resnet", "efficientnet_lite0")
            for row in [_row(serving, measure="picture", network=name)]
        ),
        ("from the start of a pod until it is ready, a million items", f"{ready['seconds'][_MEDIAN]:.1f} s", ready),
        ("items put by one writer, by a thousand", f"{1e6 / upsert['median_us']:,.0f} a second; {1e6 / fill['median_us']:,.0f} where a generation is filled", upsert),
        ("from a write to its first answer, 1,000 writes a second", f"{visible['median_ms']:.1f} ms; 99 of 100 within {visible['p99_ms']:.0f} ms", visible),
        ("from a publish until ten processes of 100,000 items answer by it", f"{publish['published_to_swapped_s']:.1f} s; no search of {publish['searches']:,} failed", publish),
    ]  # fmt: skip
    head = ["| | | measured by, at commit |", "|---|---|---|"]
    return head + [f"| {what} | {figure} | {_source(row)} |" for what, figure, row in rows]


def page(text: str, table: list[str]) -> str:
    """The page with this table."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n".join(table) + "\n" + END + rest.partition(END)[2]


def _row(rows: list[Row], **wanted: Any) -> Row:
    return next(row for row in rows if wanted.items() <= row.items())


def _mib(bytes_each: float) -> int:
    """Of a million, in MiB."""
    return round(bytes_each * _MILLION / (1 << 20))


def _a_core(row: Row) -> float:
    return float(1e6 / row["ours"]["cpu_us"][_MEDIAN])


def _source(row: Row) -> str:
    made = row["made_by"]
    return f"`{made['command']}`, {commits([made])}"


if __name__ == "__main__":
    table = lines()
    print("\n".join(table))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")
