"""The rows of benchmarks/methods/table.py as a Markdown table and a figure."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import ttest_ind

from taxohash.runtime.atomic import replacing

Row = dict[str, Any]
METRICS = {"mAP": "Fine mAP", "mAHP": "mAHP", "nDCG": "nDCG@100"}
REAL = ("dqn", "hierarchy_embedding")


def write_report(rows: list[Row], folder: Path) -> None:
    """Write methods.md and methods.png beside the rows."""
    table = [row for row in rows if row["stage"] == "table" and row["metrics"]]
    sets = sorted({row["data"] for row in table})
    text = ["# Methods on frozen features", "", _head(table, rows)]
    for data in sets:
        text += [f"## {data}", ""]
        for metric, title in METRICS.items():
            text += [f"### {title}", "", *_table([r for r in table if r["data"] == data], metric), ""]
        text += ["### Codes", "", *_health([r for r in table if r["data"] == data]), ""]
        text += ["### Chosen on held-out rows", "", *_chosen([r for r in table if r["data"] == data]), ""]
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "methods.md") as draft:
        draft.write_text("\n".join(text), encoding="utf-8")
    if table:
        _figure(table, sets, folder / "methods.png")


def _head(table: list[Row], rows: list[Row]) -> str:
    minutes = sum(row["cpu_seconds"] for row in rows) / 60
    commits = ", ".join(sorted({row["commit"][:12] for row in table}))
    data = ", ".join(sorted({f"{row['data']} {row['data_md5']}" for row in table}))
    return (
        "EfficientNet-Lite0 features at 96 px (ImageNet weights, frozen), their 256 first principal components, a head "
        "256-256-q with batch normalisation (treecode: one output a class, then its fixed code layer); database = training set, queries = test set; mean ± standard deviation over "
        "seeds, in per cent. Hyper-parameters were chosen on rows held out of the training set, with three trials for each "
        "method at 32 bits. **Bold**: best of the binary methods, or not significantly worse (Welch's t-test, p ≥ 0.05). "
        "Rows in italics rank real vectors, on 500 queries, and take no part in that. `~tree` learns from a shuffled tree.\n\n"
        f"{len(rows)} runs, {minutes:.0f} core-minutes; commits {commits}; data {data}.\n"
    )


def _name(row: Row) -> str:
    return f"{row['method']} ~tree" if row["shuffled"] else str(row["method"])


def _cells(rows: list[Row], value: Callable[[Row], float]) -> dict[str, dict[int, list[float]]]:
    cells: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        cells.setdefault(_name(row), {}).setdefault(row["bits"], []).append(value(row))
    return cells


def _scores(rows: list[Row], metric: str) -> dict[str, dict[int, list[float]]]:
    """A metric in per cent, by method and bits."""
    return _cells(rows, lambda row: 100.0 * float(row["metrics"][metric]))


def _table(rows: list[Row], metric: str) -> list[str]:
    cells = _scores(rows, metric)
    lengths = sorted({row["bits"] for row in rows})
    binary = {name: by for name, by in cells.items() if name not in REAL}
    lines = [
        "| method | " + " | ".join(f"{bits} bits" for bits in lengths) + " |",
        "|---" * (len(lengths) + 1) + "|",
    ]
    for name, by in sorted(cells.items(), key=lambda item: -np.mean([np.mean(v) for v in item[1].values()])):
        shown = [f"*{name}*" if name in REAL else name]
        for bits in lengths:
            values = by.get(bits)
            if values is None:
                shown.append("")
                continue
            cell = f"{np.mean(values):.1f} ± {np.std(values, ddof=1) if len(values) > 1 else 0:.1f}"
            shown.append(f"**{cell}**" if name in binary and _among_best(values, binary, bits) else cell)
        lines.append("| " + " | ".join(shown) + " |")
    return lines


def _among_best(values: list[float], cells: dict[str, dict[int, list[float]]], bits: int) -> bool:
    best = max((by[bits] for by in cells.values() if bits in by), key=np.mean)
    if best is values:
        return True
    if len(best) < 2 or len(values) < 2:
        return False
    return bool(ttest_ind(best, values, equal_var=False).pvalue >= 0.05)


def _health(rows: list[Row]) -> list[str]:
    """Least distance between two classes' majority codes (0: they collide), and the bits' entropy."""
    least = _cells([r for r in rows if "health" in r], lambda row: row["health"]["class_distance"])
    entropy = _cells([r for r in rows if "health" in r], lambda row: row["health"]["entropy"])
    lengths = sorted({row["bits"] for row in rows})
    lines = [
        "Least Hamming distance between the majority codes of two classes over the seeds (0: they collide); mean entropy of a bit.",
        "",
        "| method | " + " | ".join(f"{bits} bits" for bits in lengths) + " |",
        "|---" * (len(lengths) + 1) + "|",
    ]
    for name in sorted(least):
        shown = [
            f"{min(least[name][bits]):.0f}; {np.mean(entropy[name][bits]):.2f}" if bits in least[name] else ""
            for bits in lengths
        ]
        lines.append("| " + " | ".join([name, *shown]) + " |")
    return lines


def _chosen(rows: list[Row]) -> list[str]:
    options = {
        (row["method"], row["bits"]): ", ".join(f"{k} {_plain(v)}" for k, v in row["options"].items())
        or "as published"
        for row in rows
    }
    lengths = sorted({row["bits"] for row in rows})
    lines = [
        "| method | " + " | ".join(f"{bits} bits" for bits in lengths) + " |",
        "|---" * (len(lengths) + 1) + "|",
    ]
    for method in sorted({method for method, _ in options}):
        lines.append(
            "| " + " | ".join([method, *(options.get((method, bits), "") for bits in lengths)]) + " |"
        )
    return lines


def _plain(value: Any) -> str:
    return "/".join(f"{v:g}" for v in value) if isinstance(value, list) else str(value)


def _figure(table: list[Row], sets: list[str], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

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
