"""The rows of benchmarks.speed.cold_start as a page."""

from benchmarks.common.rows import Row, commits, matching
from benchmarks.common.tables import table


def as_markdown(rows: list[Row]) -> list[str]:
    """Everything measured, as tables."""
    made = [row["made_by"] for row in rows]
    loads = [origin["load"] for origin in made]
    starts, searches = matching(rows, measure="start"), matching(rows, measure="search")
    return [
        "# Cold start and packed kernels",
        "",
        f"`{made[0]['command']}`",
        "",
        f"Code of {commits(made)}; {made[0]['cpu']}, {made[0]['cores']} cores, load before each {min(loads)} to {max(loads)}.",
        "",
        "## From the start of `taxohash serve` until it is ready",
        "",
        "Seconds, the least and the median; of the CPU, those of all its processes.",
        "",
        *table(
            ["items", "from", "least", "median", "CPU", "median"],
            (
                [f"{row['items']:,}", row["way"], *(f"{s:.2f}" for s in (*row["seconds"], *row["cpu_seconds"]))]
                for row in matching(rows, measure="ready")
            ),
        ),
        "",
        "## Its parts: from the start of a process to its first answer",
        "",
        "Seconds, the least and the median of fresh processes, with codes of 64 bits in a store on the same machine.",
        "",
        *table(["", *(f"{row['items']:,} items, {row['way']}" for row in starts)], _parts(starts)),
        "",
        "## Searches with packed kernels beside those compiled for this CPU",
        "",
        "Microseconds a query, the least of all; its ratio to that of native kernels, and the ratio of the medians of the processes.",
        "",
        *table(
            ["codes", "arranged", "queries", "compiled for", "us", "native", "ratio", "of medians"],
            (
                [
                    f"{row['codes']:,} x {row['bits']}", row["layout"], str(row["queries"]), row["target"], f"{row['us']:.1f}",
                    f"{row['native_us']:.1f}", f"{row['ratio_of_least']:.3f}", f"{row['ratio_of_medians']:.3f}",
                ]
                for row in searches
            ),
        ),
    ]  # fmt: skip


def _parts(starts: list[Row]) -> list[list[str]]:
    lines = [
        [part, *("{:.3f}, {:.3f}".format(*row["seconds"][part]) for row in starts)]
        for part in (starts[0]["seconds"] if starts else ())
    ]
    lines += [[f"kernels {what}", *(str(row[what]) for row in starts)] for what in ("found", "compiled")]
    lines.append(["kernels for", *(row["target"] for row in starts)])
    lines.append(["MB at most", *(f"{row['peak_bytes'] / 1e6:.0f}" for row in starts)])
    return lines
