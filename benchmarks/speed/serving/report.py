"""The rows of benchmarks.speed.serving as a page: what was asked for, and how far from it each is."""

from benchmarks.common.rows import Row, commits, matching
from benchmarks.common.tables import table

P50_RATIO, P99_BY_P50, SHARE, PICTURES_SHARE = 1.3, 5.0, 0.80, 0.85
CLUSTERED_MS, UNIFORM_RATIO = 1.0, 1.2
METRICS_SHARE, SCRAPE_MS = 0.97, 50.0


def as_markdown(rows: list[Row]) -> list[str]:
    """Everything measured, as tables."""
    made = [row["made_by"] for row in rows]
    loads = [origin["load"] for origin in made]
    parts = [
        ["## What is asked for", "", *table(["", "asked", "best", "median", "met"], _asked(rows))],
        [
            "## By code, beside a bare route",
            "",
            *_beside(matching(rows, measure="code"), ("host", "kind", "items", "connections")),
        ],
        [
            "## By picture, beside a bare route",
            "",
            *_beside(matching(rows, measure="picture"), ("network", "items", "connections")),
        ],
        ["## Other indexes behind the same route", "", *_peers(matching(rows, measure="peer"))],
        [
            "## What metrics cost",
            "",
            *_metrics(matching(rows, measure="metrics"), matching(rows, measure="scrape")),
        ],
        ["## In one process", "", *_processes(matching(rows, measure="process"))],
        ["## ONNX Runtime alone", "", *_onnx(matching(rows, measure="onnx"), matching(rows, measure="int8"))],
    ]
    return [
        "# The service beside bare routes and peers",
        "",
        *(f"`{command}`" for command in dict.fromkeys(origin["command"] for origin in made)),
        "",
        f"Code of {commits(made)}; {made[0]['cpu']}, {made[0]['cores']} cores, load before each {min(loads)} to {max(loads)}. "
        "Client and hosts share the cores. Two numbers are the best and the median of all slices of the time; ratios are of slices that "
        "follow each other. CPU is that of all processes of a host.",
        *(line for part in parts for line in ("", *part)),
    ]


def _asked(rows: list[Row]) -> list[list[str]]:
    lines = []
    for row in matching(rows, measure="code"):
        what = f"{row['kind']} codes, {row['host']}, {row['connections']} connections"
        if row["connections"] == 1:
            lines.append(_line(f"{what}: p50", f"{P50_RATIO} x bare", row["p50_ratio"], P50_RATIO))
            lines.append(_line(f"{what}: p99", f"{P99_BY_P50:g} x p50", row["p99_by_p50"], P99_BY_P50))
        else:
            lines.append(
                _line(f"{what}: requests/s", f"{SHARE:.0%} of bare", row["share"], SHARE, least=True)
            )
    for row in matching(rows, measure="picture"):
        what = f"{row['network']}, {row['connections']} connections: pictures/s"
        if "share_of_alone" in row:
            found = [row["share_of_alone"]] * 2
            lines.append(
                _line(what, f"{PICTURES_SHARE:.0%} of ONNX Runtime alone", found, PICTURES_SHARE, least=True)
            )
        else:
            lines.append(
                _line(what, f"{PICTURES_SHARE:.0%} of bare", row["share"], PICTURES_SHARE, least=True)
            )
    for row in matching(rows, measure="peer"):
        if "missing" in row:
            lines.append([row["peer"], "slower than ours", "", "", f"not measured: {row['missing']}"])
        elif row["peer"] != "taxohash":
            lines.append(_line(f"{row['peer']}: p50", "slower than ours", row["p50_ratio"], 1.0, least=True))
    for row in matching(rows, measure="process"):
        what = f"{row['items']:,} {row['kind']} codes: p50"
        if row["kind"] == "clustered":
            lines.append(_line(what, f"{CLUSTERED_MS:g} ms", row["ours"]["p50_ms"], CLUSTERED_MS))
        else:
            lines.append(_line(what, f"{UNIFORM_RATIO} x the call", row["p50_ratio"], UNIFORM_RATIO))
    for row in matching(rows, measure="metrics"):
        what = f"with metrics, by {row['asked']}, {row['connections']} connections: requests/s"
        lines.append(_line(what, f"{METRICS_SHARE:.0%} of without", row["share"], METRICS_SHARE, least=True))
    for row in matching(rows, measure="scrape"):
        lines.append(_line(f"a scrape at {row['items']:,} items", f"{SCRAPE_MS:g} ms", row["ms"], SCRAPE_MS))
    return lines


def _line(what: str, asked: str, found: list[float], bound: float, least: bool = False) -> list[str]:
    """Met is what the median meets."""
    best, middle = found
    met = middle >= bound if least else middle <= bound
    return [what, asked, f"{best:.3g}", f"{middle:.3g}", "yes" if met else "**no**"]


def _beside(rows: list[Row], names: tuple[str, ...]) -> list[str]:
    head = [*names, "", "p50, ms", "p99, ms", "requests/s", "CPU, us"]
    return table(
        head,
        (
            [
                *(f"{row[name]:,}" if isinstance(row[name], int) else row[name] for name in names),
                way,
                *_numbers(row[way]),
            ]
            for row in rows
            for way in ("ours", "bare")
        ),
    )


def _numbers(told: Row) -> list[str]:
    return [
        ", ".join(f"{value:.4g}" for value in told[name])
        for name in ("p50_ms", "p99_ms", "per_second", "cpu_us")
    ]


def _peers(rows: list[Row]) -> list[str]:
    lines = [
        [
            row["peer"],
            f"{row['items']:,}",
            *_numbers(row["one"])[:2],
            _numbers(row["many"])[2],
            f"{row['exact']:.0%} of {row['answers']}",
        ]
        if "missing" not in row
        else [row["peer"], f"{row['items']:,}", f"not measured: {row['missing']}", "", "", ""]
        for row in rows
    ]
    return table(
        ["index", "codes", "p50, ms", "p99, ms", "requests/s, 16 connections", "exact answers"], lines
    )


def _metrics(rows: list[Row], scrapes: list[Row]) -> list[str]:
    lines = table(
        ["asked by", "items", "", "p50, ms", "p99, ms", "requests/s", "CPU, us"],
        (
            [row["asked"], f"{row['items']:,}", f"{way} metrics", *_numbers(row[way])]
            for row in rows
            for way in ("with", "without")
        ),
    )
    for row in rows:
        least, middle = row["cpu_ratio"]
        lines += [
            "",
            f"By {row['asked']}, CPU with metrics is {least:.3f} (best) and {middle:.3f} (median) times that without.",
        ]
    for row in scrapes:
        least, middle = row["ms"]
        lines += [
            "",
            f"A scrape of {row['series']} series, {row['bytes'] / 1024:.0f} KiB: {least:.2g} ms, {middle:.2g} ms.",
        ]
    return lines


def _processes(rows: list[Row]) -> list[str]:
    return table(
        ["codes", "items", "RSS, MiB", "PSS, MiB", "bytes an item", "p50, ms", "p99, ms", "the call, ms"],
        (
            [row["kind"], f"{row['items']:,}", f"{row['rss_mib']:,}", f"{row['pss_mib']:,}", f"{row['bytes_an_item']}",
             *_numbers(row["ours"])[:2], ", ".join(f"{value:.4g}" for value in row["call_p50_ms"])]
            for row in rows
        ),
    )  # fmt: skip


def _onnx(rows: list[Row], judged: list[Row]) -> list[str]:
    names = ("network", "numbers", "threads", "at_once", "batch", "per_second")
    lines = table(
        ["network", "numbers", "threads of a call", "calls at once", "batch", "pictures/s"],
        ([f"{row[name]}" for name in names] for row in rows),
    )
    for row in judged:
        quality = (
            f"; mAP {row['mAP_float32']} becomes {row['mAP_int8']} ({row['protocol']})"
            if "mAP_int8" in row
            else ""
        )
        lines += [
            "",
            f"int8, {row['network']}: {row['bits_changed']:.2%} of the bits change on {row['of']}{quality}.",
        ]
    return lines
