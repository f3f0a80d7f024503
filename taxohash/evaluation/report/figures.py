"""The plots of a report, as PNG bytes."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from taxohash.codes import unpack
from taxohash.evaluation.projection import projection
from taxohash.evaluation.report.evidence import Evidence
from taxohash.protocols import Report
from taxohash.runtime.drawing import legend, plain_text, short
from taxohash.taxonomy import Taxonomy

INK, PALE, ACCENT = "#1f2933", "#d5dae1", "#2563a8"
MAP_POINTS = 6000
NAMES = 30
BARS = 40


def level_colours(levels: int) -> list[str]:
    """Colours of agreement 0 ... levels: vermilion for none, then pale to deep, safe for colour blindness."""
    ramp = colormaps["YlGnBu"](np.linspace(0.4, 0.95, levels))
    return ["#d55e00", *(to_hex(colour) for colour in ramp)]


@plain_text()
def precision_recall(report: Report) -> bytes:
    """Mean precision against recall, one curve a level."""
    figure, axes = _plot(5.6, 4.2)
    colours = level_colours(len(report.curves))[1:]
    names: list[str] = []
    for colour, (level, curve) in zip(reversed(colours), report.curves.items(), strict=True):
        axes.plot(curve["recall"], curve["precision"], color=colour, lw=2.2)
        names.append(f"{short(level)}  (mean {float(np.mean(curve['precision'])):.3f})")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    legend(axes, names, loc="lower left")
    return _png(figure)


DATABASES = {"seen": "items it was trained on", "new": "other items"}
ORDERS = {"weighted": "by weights", "hamming": "by Hamming distance"}


@plain_text()
def reliability(report: Report) -> bytes:
    """Probability that was told against the share that was right, one curve a level, for each database and order of the answers."""
    found = report.reliability
    figure = Figure(figsize=(5.6, 0.4 + 2.8 * len(found)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(found), len(ORDERS), sharex=True, sharey=True, squeeze=False)
    levels = list(report.calibration["measured"][next(iter(found))]["weighted"]["shared"])
    colours = dict(zip(levels, level_colours(len(levels))[1:], strict=True))
    for row, (database, orders) in zip(grid, found.items(), strict=True):
        for axes, (order, title) in zip(row, ORDERS.items(), strict=True):
            _styled(axes)
            axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls=(0, (4, 3)))
            for level, curve in orders[order].items():
                axes.plot(
                    curve["predicted"], curve["observed"], color=colours[level], lw=1.6, marker="o", ms=3
                )
            axes.set(xlim=(0, 1), ylim=(0, 1))
            axes.set_title(f"{DATABASES[database]},\n{title}", fontsize=9, color=INK)
    for axes in grid[-1]:
        axes.set_xlabel("probability told")
    for axes in grid[:, 0]:
        axes.set_ylabel("share that was right")
    legend(grid[0, 0], ["as it should be", *map(short, levels)], loc="upper left", fontsize=8)
    return _png(figure)


@plain_text()
def bit_balance(evidence: Evidence) -> bytes:
    """Share of ones of every bit over the database; a bit far from one half says little."""
    share = unpack(evidence.database_codes, evidence.bits).mean(axis=0)
    figure, axes = _plot(5.6, 2.8)
    colours = np.where((share < 0.1) | (share > 0.9), "#d55e00", ACCENT)
    axes.bar(np.arange(evidence.bits), share, color=colours, width=0.8)
    axes.axhline(0.5, color=INK, lw=0.8, ls=(0, (4, 3)))
    axes.set(xlim=(-0.7, evidence.bits - 0.3), ylim=(0, 1), xlabel="bit", ylabel="share of ones")
    return _png(figure)


def left_out(report: Report) -> str:
    """What `class_scores` does not show."""
    count = len(report.classes)
    return f"; {BARS} of {count} shown, the strongest and the weakest" if count > BARS else ""


@plain_text()
def class_scores(report: Report, taxonomy: Taxonomy) -> bytes:
    """Fine mAP of each class, coloured by superclass; of many classes the weakest and the strongest."""
    ranked = sorted(report.classes.items(), key=lambda item: item[1])
    shown = ranked if len(ranked) <= BARS else ranked[: BARS // 2] + ranked[-BARS // 2 :]
    colours = _palette(taxonomy.class_count(0))
    first = {path[0]: i for i, path in enumerate(taxonomy.class_paths(0))}
    figure, axes = _plot(5.6, 0.8 + 0.19 * len(shown))
    places = np.arange(len(shown)) + (np.arange(len(shown)) >= BARS // 2) * (len(ranked) > BARS)
    axes.barh(
        places, [score for _, score in shown], color=[colours[first[p.split("/")[0]]] for p, _ in shown]
    )
    axes.set_yticks(places, [short(path.split("/")[-1]) for path, _ in shown], fontsize=8)
    axes.set(xlim=(0, 1), ylim=(-0.7, places[-1] + 0.7), xlabel="mAP of the class")
    for place, (_, score) in zip(places, shown, strict=True):
        axes.text(score + 0.008, place, f"{score:.2f}", va="center", fontsize=7, color=INK)
    return _png(figure)


@plain_text()
def code_map(evidence: Evidence) -> bytes:
    """Codes as points of +-1 on their first two principal components, coloured by coarsest class; the largest are named."""
    labels = evidence.database_labels
    rows = np.unique(np.linspace(0, len(labels) - 1, min(MAP_POINTS, len(labels))).astype(np.int64))
    found = projection(evidence.database_codes, evidence.bits)
    points = found.places(evidence.database_codes[rows])
    classes = evidence.taxonomy.ancestors[labels[rows], 0]
    names = [short(path[0]) for path in evidence.taxonomy.class_paths(0)]
    colours = np.array(_palette(len(names)))

    figure, axes = _plot(10.8, 6.4)
    axes.scatter(*points.T, c=colours[classes], s=7, alpha=0.4, lw=0)
    sizes = np.bincount(classes, minlength=len(names))
    present = np.argsort(-sizes, kind="stable")[: min(NAMES, np.count_nonzero(sizes))]
    centres = np.array([np.median(points[classes == c], axis=0) for c in present])
    axes.scatter(*centres.T, c=colours[present], s=60, edgecolor="white", lw=1.5, zorder=3)
    for c, centre, place in zip(present, centres, _apart(centres, points), strict=True):
        axes.annotate(
            names[c], centre, place, ha="center", va="center", fontsize=9, color=INK, zorder=4,
            path_effects=[withStroke(linewidth=3, foreground="white")],
            arrowprops={"arrowstyle": "-", "color": colours[c], "lw": 1.2, "shrinkA": 0, "shrinkB": 3},
        )  # fmt: skip
    axes.set(
        xlabel=f"first component ({found.explained[0]:.0%})",
        ylabel=f"second component ({found.explained[1]:.0%})",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    return _png(figure)


def _apart(places: npt.NDArray[np.float64], points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Label places, pushed apart until names do not overlap: 0.14 of the width and 0.035 of the height each."""
    spread = np.ptp(points, axis=0)
    room = np.maximum(spread, 1e-9) * (0.14, 0.035)
    places = places + np.array([0.0, 0.6 * room[1]])
    for _ in range(200):
        moved = False
        for i in range(len(places)):
            for j in range(i):
                gap = places[i] - places[j]
                if (np.abs(gap) < room).all():
                    push = (room[1] - abs(gap[1])) / 2 + 1e-6 * room[1]
                    up = 1 if gap[1] >= 0 else -1
                    places[i, 1] += up * push
                    places[j, 1] -= up * push
                    moved = True
        if not moved:
            break
    return places


def _palette(count: int) -> list[str]:
    """Colours of classes: a named palette while it lasts, then evenly spaced hues."""
    if count <= 10:
        return [to_hex(colour) for colour in colormaps["tab10"](np.arange(count))]
    return [
        to_hex(colour) for colour in colormaps["turbo"](np.linspace(0.03, 0.97, count)) * (0.88, 0.8, 0.88, 1)
    ]


def _plot(width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _styled(axes)
    return figure, axes


def _styled(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)
    axes.tick_params(colors=INK, labelsize=9, color=PALE)
    axes.grid(color=PALE, lw=0.5, alpha=0.7)
    axes.set_axisbelow(True)


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=144, metadata={"Software": None})
    return data.getvalue()
