"""The rows of benchmarks/methods/table.py as a Markdown table and a figure."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import ttest_ind

from benchmarks.common.rows import Row, commits, matching
from benchmarks.common.tables import by_bits, options_cell, publish, spread
from taxohash.runtime.atomic import replacing

Cells = dict[str, dict[int, list[float]]]  # the values of several seeds, by method and bits
METRICS = {"mAP": "Fine mAP", "mAHP": "mAHP", "nDCG": "nDCG@100"}
BY_WEIGHTS = " By weights: the same codes ranked by the query's real outputs, on 2,000 queries."
REAL = ("dqn", "hierarchy_embedding")


def write_report(rows: list[Row], folder: Path) -> None:
    """Write methods.md and methods.png beside the rows."""
    publish(folder / "methods.md", as_markdown(rows))
    if table := _measured(rows):
        _figure(table, folder / "methods.png")


def as_markdown(rows: list[Row]) -> list[str]:
    """A section for each data set: metrics, health of the codes, chosen options."""
    table = _measured(rows)
    lines = ["# Methods on frozen features", "", *_head(table, rows)]
    for data in _sets(table):
        found = matching(table, data=data)
        lines += ["", f"## {data}"]
        weighted = [row | {"metrics": row["weighted"]} for row in found if row.get("weighted")]
        for metric, title in METRICS.items():
            lines += ["", f"### {title}", "", *_table(found, metric)]
            if weighted:
                lines += ["", f"#### {title}, by weights", "", *_table(weighted, metric)]
        lines += ["", "### Codes", "", *_health(found)]
        lines += ["", "### Chosen on held-out rows", "", *_chosen(found)]
    return lines


def _measured(rows: list[Row]) -> list[Row]:
    return [row for row in matching(rows, stage="table") if row["metrics"]]


def _sets(table: list[Row]) -> list[str]:
    return sorted({row["data"] for row in table})


def _head(table: list[Row], rows: list[Row]) -> list[str]:
    minutes = sum(row["cpu_seconds"] for row in rows) / 60
    data = ", ".join(sorted({f"{row['data']} {row['data_md5']}" for row in table}))
    return [
        "EfficientNet-Lite0 features at 96 px (ImageNet weights, frozen), their 256 first principal components, a head "
        "256-256-q with batch normalisation (treecode: two of them, each with one output a class, then its fixed code layer); database = training set, queries = test set; mean ± standard deviation over "
        "seeds, in per cent. Hyper-parameters were chosen on rows held out of the training set, with three trials for each "
        "method at 32 bits. **Bold**: best of the binary methods, or not significantly worse (Welch's t-test, p ≥ 0.05). "
        "Rows in italics rank real vectors, on 500 queries, and take no part in that. `~tree` learns from a shuffled tree."
        + BY_WEIGHTS
        * any(row.get("weighted") for row in table),
        "",
        f"{len(rows)} runs, {minutes:.0f} core-minutes; commits {commits(table)}; data {data}.",
    ]


def _name(row: Row) -> str:
    return f"{row['method']} ~tree" if row["shuffled"] else str(row["method"])


def _cells(rows: list[Row], value: Callable[[Row], float]) -> Cells:
    cells: Cells = {}
    for row in rows:
        cells.setdefault(_name(row), {}).setdefault(row["bits"], []).append(value(row))
    return cells


def _lengths(rows: list[Row]) -> list[int]:
    return sorted({row["bits"] for row in rows})


def _scores(rows: list[Row], metric: str) -> Cells:
    """A metric in per cent, by method and bits."""
    return _cells(rows, lambda row: 100.0 * float(row["metrics"][metric]))


def _table(rows: list[Row], metric: str) -> list[str]:
    cells, lengths = _scores(rows, metric), _lengths(rows)
    binary = {name: by for name, by in cells.items() if name not in REAL}
    lines = []
    for name, by in sorted(cells.items(), key=lambda item: -np.mean([np.mean(v) for v in item[1].values()])):
        shown = [f"*{name}*" if name in REAL else name]
        for bits in lengths:
            values = by.get(bits, [])
            best = values and name in binary and _among_best(values, binary, bits)
            shown.append(f"**{spread(values)}**" if best else spread(values))
        lines.append(shown)
    return by_bits(lengths, lines)


def _among_best(values: list[float], cells: Cells, bits: int) -> bool:
    best = max((by[bits] for by in cells.values() if bits in by), key=np.mean)
    if best is values:
        return True
    if len(best) < 2 or len(values) < 2:
        return False
    return bool(ttest_ind(best, values, equal_var=False).pvalue >= 0.05)


def _health(rows: list[Row]) -> list[str]:
    """Least distance between two classes' majority codes (0: they collide), and the bits' entropy."""
    binary, lengths = [row for row in rows if "health" in row], _lengths(rows)
    least = _cells(binary, lambda row: row["health"]["class_distance"])
    entropy = _cells(binary, lambda row: row["health"]["entropy"])
    lines = [
        [name]
        + [
            f"{min(least[name][bits]):.0f}; {np.mean(entropy[name][bits]):.2f}" if bits in least[name] else ""
            for bits in lengths
        ]
        for name in sorted(least)
    ]
    return [
        "Least Hamming distance between the majority codes of two classes over the seeds (0: they collide); mean entropy of a bit.",
        "",
        *by_bits(lengths, lines),
    ]


def _chosen(rows: list[Row]) -> list[str]:
    options = {(row["method"], row["bits"]): options_cell(row["options"]) for row in rows}
    lengths = _lengths(rows)
    return by_bits(
        lengths,
        (
            [method, *(options.get((method, bits), "") for bits in lengths)]
            for method in sorted({method for method, _ in options})
        ),
    )


def _figure(table: list[Row], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    sets = _sets(table)
    names = sorted({_name(row) for row in table})
    colours = {name: plt.get_cmap("tab20")(i % 20) for i, name in enumerate(names)}
    figure, axes = plt.subplots(1, len(sets), figsize=(7 * len(sets), 6), squeeze=False)
    for axis, data in zip(axes[0], sets, strict=True):
        rows = [row for row in table if row["data"] == data]
        fine, deep = _scores(rows, "mAP"), _scores(rows, "mAHP")
        for name in (n for n in names if n in fine):
            lengths = sorted(fine[name])
            x, y = ([np.mean(cells[name][bits]) for bits in lengths] for cells in (fine, deep))
            marker = "x" if name.endswith("~tree") else "s" if name in REAL else "o"
            axis.plot(x, y, color=colours[name], linewidth=0.8, zorder=1)
            axis.scatter(
                x, y, [bits * 1.2 for bits in lengths], color=colours[name], marker=marker, label=name
            )
        axis.set(title=data, xlabel="fine mAP, %", ylabel="mAHP, %")
        axis.grid(alpha=0.3)
    axes[0][-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), title="size: 16 to 64 bits")
    figure.tight_layout()
    with replacing(path) as draft:
        figure.savefig(draft, dpi=110, metadata={"Software": None})
    plt.close(figure)
