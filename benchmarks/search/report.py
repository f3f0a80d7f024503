"""The results of benchmarks.search as rows, tables and a plot."""

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.common.rows import Row, write_rows
from benchmarks.common.tables import table
from taxohash.runtime.atomic import replacing


def ratio(case: Row, row: Row) -> float:
    """How many times faster than FAISS's flat index on the same codes, batch and k."""
    peer = next(
        r["min_ms"]
        for r in case["times"]
        if r["method"] == "faiss flat" and (r["batch"], r["k"]) == (row["batch"], row["k"])
    )
    return float(peer / row["min_ms"])


def has_peer(case: Row, row: Row) -> bool:
    return any(
        r["method"] == "faiss flat" and (r["batch"], r["k"]) == (row["batch"], row["k"])
        for r in case["times"]
    )


def markdown(setting: Row, cases: list[Row]) -> list[str]:
    """Everything measured, as tables."""
    lines = ["# Exact Hamming search beside its peers", "", "`python -m benchmarks.search`", ""]
    for title in ("machine", "limits", "start", "not_run"):
        values = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in setting[title].items())
        lines += [f"{title}: " + ", ".join(values), ""]
    for case in cases:
        lines += [f"## {case['case']}", ""]
        if "skipped" in case:
            lines += [f"Not run: {case['skipped']}", ""]
            continue
        lines += [
            f"{case.get('made_by', '')} layout {case['layout']}, {case['bytes_per_code']:.2f} bytes a code, built in"
            f" {case['build_cpu_s']:.2f} s (CPU), a batch looks at {case['touched_share']:.3%} of the codes".strip(),
            "",
            *table(
                [
                    "method",
                    "batch",
                    "k",
                    "min ms",
                    "median ms",
                    "x FAISS flat",
                    "G codes/s",
                    "Gbit/s",
                    "recall",
                ],
                (
                    _cells(case, row)
                    for row in sorted(case["times"], key=lambda r: (r["k"], r["batch"], r["min_ms"]))
                ),
            ),
            "",
        ]
        if "profile" in case:
            lines += [
                "microseconds a query: " + ", ".join(f"{k} {v:.3g}" for k, v in case["profile"].items()),
                "",
            ]
        if "weighted" in case:
            columns = ["weights", "method", "batch", "min ms", "median ms", "x plain search"]
            lines += [*table(columns, (_weighted_cells(case, row) for row in case["weighted"])), ""]
        if "filters" in case:
            filters = ([r["filter"], f"{r['min_ms']:.4g}", f"{r['median_ms']:.4g}"] for r in case["filters"])
            lines += [*table(["allowed, batch 1", "min ms", "median ms"], filters), ""]
            lines += ["changes: " + ", ".join(f"{k} {v:.1f}" for k, v in case["changes"].items()), ""]
    return lines[:-1]


def _cells(case: Row, row: Row) -> list[str]:
    times = f"{ratio(case, row):.1f}" if has_peer(case, row) else ""
    numbers = (f"{row[name]:.4g}" for name in ("min_ms", "median_ms"))
    answered = row["batch"] * case["codes"] / row["min_ms"] / 1e6  # for every code, looked at or not
    rates = f"{answered:.3g}", f"{answered * case['bits']:.3g}"
    return [row["method"], f"{row['batch']}", f"{row['k']}", *numbers, times, *rates, f"{row['recall']:.4g}"]


def _weighted_cells(case: Row, row: Row) -> list[str]:
    plain = next(
        r["min_ms"]
        for r in case["weighted"]
        if r["method"] == "taxohash, plain" and (r["weights"], r["batch"]) == (row["weights"], row["batch"])
    )
    numbers = (f"{row[name]:.4g}" for name in ("min_ms", "median_ms"))
    return [row["weights"], row["method"], f"{row['batch']}", *numbers, f"{row['min_ms'] / plain:.2f}"]


def plot(cases: list[Row]) -> Figure:
    """Times of a batch of 100 at k = 10 for each case, least first."""
    cases = [case for case in cases if "times" in case]
    figure = Figure(figsize=(8, 0.9 + 0.34 * len(cases)), layout="constrained")
    axes = figure.subplots()
    for name, colour in (
        ("faiss flat", "#888888"),
        ("faiss IVF1024 nprobe=4", "#e0a030"),
        ("taxohash", "#2060c0"),
    ):
        points = [
            (r["min_ms"] / 100, at)
            for at, case in enumerate(cases)
            for r in case["times"]
            if r["method"] == name and r["batch"] == 100 and r["k"] == 10
        ]
        axes.scatter([x for x, _ in points], [y for _, y in points], label=name, color=colour)
    axes.set_xscale("log")
    axes.set_yticks(range(len(cases)), [case["case"] for case in cases])
    axes.set_xlabel("ms a query, batch of 100, k = 10, one thread")
    axes.legend()
    axes.grid(axis="x", alpha=0.3)
    return figure


def write(setting: Row, cases: list[Row], out: Path) -> None:
    """search.json, search.md and search.png in the folder `out`; the first row is the setting, then one for each case."""
    write_rows(out / "search.json", [setting, *cases])
    with replacing(out / "search.md") as draft:
        draft.write_text("\n".join(markdown(setting, cases)) + "\n", encoding="utf-8")
    with replacing(out / "search.png") as draft:
        plot(cases).savefig(draft, dpi=120)
