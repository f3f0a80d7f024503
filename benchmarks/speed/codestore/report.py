"""The rows of benchmarks.speed.codestore as a page: what is asked of the store, and everything measured."""

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.common.rows import Row, commits, matching
from benchmarks.common.tables import table


class Demand(NamedTuple):
    """Something asked of the store, what was found, and whether that is enough."""

    what: str
    asked: str
    found: str
    met: bool


def as_markdown(rows: list[Row]) -> list[str]:
    """Everything measured, as tables; of what was not measured there is none."""
    lines = ["# The code store beside plain commands", "", "`python -m benchmarks.speed.codestore`", ""]
    made = [row["made_by"] for row in rows]
    loads = [origin["load"] for origin in made]
    lines += [
        f"Code of {commits(made)}; {made[0]['cores']} cores ({made[0]['machine']}), load before each {min(loads)} to {max(loads)}."
        " Times are on the wall's clock, least and median of all rounds; of the CPU, that of the client and of the server"
        " in the cheapest round.",
        "",
    ]
    cells = ([d.what, d.asked, d.found, "yes" if d.met else "**no**"] for d in _demands(rows))
    lines += [*table(["", "asked", "found", "met"], cells), ""]
    for title, section in (
        ("Load", _load(rows)),
        ("Ingest", _ingest(rows)),
        ("Bytes an item in a server", _server_memory(rows)),
        ("Bytes an item in a process", _process_memory(rows)),
        ("Steady writes, a publish, and gc", _single(rows)),
        ("After ten turnovers", _turnover(rows)),
        ("Vector sets of Redis 8", _vector_sets(rows)),
    ):
        if len(section) > 2:
            lines += [f"## {title}", "", *section, ""]
    return lines[:-1]


# -- what is asked -------------------------------------------------------------------------------------


def _demands(rows: list[Row]) -> Iterator[Demand]:
    load = {row["way"]: row["min_us"] for row in matching(rows, measure="load")}
    if load:
        ours = load["followed into a searchable index"]
        for peer in ("GET, a value a block's column", "GET, a value a page"):
            yield _most(f"load beside {peer}", ours / load[peer], 3, "x the time")
        hashes = load["HGETALL, a hash an item"] / ours
        yield Demand("load beside a hash an item", "20 x faster", f"{hashes:.1f} x", hashes >= 20)
    ingest = {
        (row["way"], row["batch"]): row["min_us"] for row in matching(rows, measure="ingest", batch=1000)
    }
    if ingest:
        for way in ("upsert", "fill"):
            share = 100 * ingest["pipelined SET", 1000] / ingest[way, 1000]
            yield Demand(
                f"{way}, batches of 1,000, beside pipelined SETs", "60 %", f"{share:.0f} %", share >= 60
            )
    for row in matching(rows, measure="server memory"):
        yield _most(f"{row['server']}, an item", row["bytes"], 120, "bytes")
    for row in matching(rows, measure="process memory"):
        what = f"serving process, an item, {row['items']:,} {row['way']}"
        yield _most(f"{what}, kept", row["bytes"], 48, "bytes")
        yield _most(f"{what}, resident", row["resident"], 48, "bytes")
    for row in matching(rows, measure="visible"):
        what = f"a write is visible, {row['writes_per_s']:.0f} writes/s"
        yield _most(f"{what}, median", row["median_ms"], 5, "ms")
        yield _most(f"{what}, p99", row["p99_ms"], 50, "ms")
    for row in matching(rows, measure="publish"):
        what = f"publish, {row['followers']} followers, {row['searches_per_s']:.0f} searches/s"
        yield _most(f"{what}, failed", row["failed"], 0, "searches")
        yield _most(f"{what}, mixed", row["mixed"], 0, "answers")
        yield _most(f"{what}, all swapped after loading", row["loaded_to_swapped_s"], 2, "s")
    for row in matching(rows, measure="gc"):
        yield _most("gc, longest step", row["longest_ms"], 5, "ms")
    for row in matching(rows, measure="turnover"):
        for what, worn in row["worn"].items():
            yield _most(
                f"{row['turnovers']} turnovers by {row['way']}, {what}",
                worn / row["fresh"][what],
                1.3,
                "x a fresh one",
            )


def _most(what: str, found: float, most: float, unit: str) -> Demand:
    return Demand(what, f"{most:g} {unit}", f"{found:.3g} {unit}", found <= most)


# -- what was measured ---------------------------------------------------------------------------------

_TIMES = ("min_us", "median_us", "client_cpu_us", "server_cpu_us")
_TIME_HEAD = ("us an item", "median", "CPU of the client", "CPU of the server")


def _times(row: Row) -> list[str]:
    return [f"{row[name]:.3g}" for name in _TIMES]


def _load(rows: list[Row]) -> list[str]:
    found = matching(rows, measure="load")
    head = ["way", "items", "MB", *_TIME_HEAD]
    return table(head, ([r["way"], f"{r['items']:,}", f"{r['bytes'] / 1e6:.1f}", *_times(r)] for r in found))


def _ingest(rows: list[Row]) -> list[str]:
    found = matching(rows, measure="ingest")
    head = ["way", "batch", "items a round", *_TIME_HEAD]
    return table(head, ([r["way"], f"{r['batch']:,}", f"{r['items']:,}", *_times(r)] for r in found))


def _server_memory(rows: list[Row]) -> list[str]:
    return table(
        ["server", "items", "bytes", "a hash an item", "ratio"],
        (
            [
                r["server"],
                f"{r['items']:,}",
                f"{r['bytes']:.1f}",
                f"{r['hash_bytes']:.1f}",
                f"{r['hash_bytes'] / r['bytes']:.2f}",
            ]
            for r in matching(rows, measure="server memory")
        ),
    )


def _process_memory(rows: list[Row]) -> list[str]:
    return table(
        ["way", "items", "kept", "resident", "at most, while loading", "load s", "arrange s", "filtered search ms", "parts"],
        (
            [
                r["way"], f"{r['items']:,}", *(f"{r[name]:.1f}" for name in ("bytes", "resident", "peak")),
                *(f"{r[name]:.3g}" for name in ("load_s", "arrange_s", "filtered_search_ms")),
                ", ".join(f"{name} {size:.2f}" for name, size in r["parts"].items()),
            ]
            for r in matching(rows, measure="process memory")
        ),
    )  # fmt: skip


def _single(rows: list[Row]) -> list[str]:
    found = [row for row in rows if row["measure"] in ("visible", "publish", "gc")]
    hidden = ("measure", "made_by")
    return table(
        ["measure", "figures"],
        (
            [
                row["measure"],
                ", ".join(f"{name} {_plain(value)}" for name, value in row.items() if name not in hidden),
            ]
            for row in found
        ),
    )


def _turnover(rows: list[Row]) -> list[str]:
    return table(
        ["way", "items", "", "fresh", "worn", "ratio"],
        (
            [
                r["way"],
                f"{r['items']:,}",
                what,
                f"{r['fresh'][what]:.1f}",
                f"{worn:.1f}",
                f"{worn / r['fresh'][what]:.2f}",
            ]
            for r in matching(rows, measure="turnover")
            for what, worn in r["worn"].items()
        ),
    )


def _vector_sets(rows: list[Row]) -> list[str]:
    return table(
        ["way", "items", "bytes", "us to write one", "query ms", "median", "recall"],
        (
            [
                r["way"], f"{r['items']:,}", f"{r['bytes']:.1f}", f"{r['min_us']:.3g}",
                f"{r['query']['min_ms']:.3g}", f"{r['query']['median_ms']:.3g}", f"{r['recall']:.3f}",
            ]
            for r in matching(rows, measure="vector sets")
        ),
    )  # fmt: skip


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {_plain(part)}" for name, part in value.items()) + ")"
    return f"{value:.4g}" if isinstance(value, float) else f"{value}"
