"""The plots of a report, as PNG bytes: what was seen in blue, what was known in grey."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from taxohash.drift.judge import Finding
from taxohash.runtime.drawing import plain_text, short

Floats = npt.NDArray[np.float64]
INK, PALE, KNOWN, SEEN, ALARM = "#1f2933", "#d5dae1", "#9aa5b1", "#2563a8", "#d55e00"
MOST_NODES = 30
BEFORE, NOW = "held-out queries", "seen lately"


@plain_text()
def overview(findings: Sequence[Finding]) -> bytes:
    """Every statistic as a multiple of the bound beyond which it raises an alarm."""
    figure, axes = _plot(5.6, 0.9 + 0.3 * len(findings))
    multiples = [max(one.value, 0.0) / one.bound if one.bound > 0 else 2.0 * one.alarm for one in findings]
    most = 2.0
    places = np.arange(len(findings))[::-1]
    colours = [ALARM if one.alarm else SEEN for one in findings]
    axes.barh(places, np.minimum(multiples, most), color=colours, height=0.6)
    for place, multiple in zip(places, multiples, strict=True):
        if multiple > most:
            axes.text(most, place, f" {multiple:.3g} x", va="center", fontsize=8, color=INK)
    axes.axvline(1.0, color=INK, lw=1.0, ls=(0, (4, 3)))
    axes.set_yticks(places, [short(one.name) for one in findings], fontsize=8)
    axes.set(xlim=(0, most * 1.12), xlabel="value as a multiple of its bound")
    return _png(figure)


@plain_text()
def bits(before: Floats, now: Floats) -> bytes:
    """Share of ones of every bit, known and seen, of float64[bits]."""
    figure, axes = _plot(5.6, 2.8)
    places = np.arange(len(before))
    axes.vlines(places, before, now, color=SEEN, lw=1.0, alpha=0.5)
    axes.scatter(places, before, s=14, color=KNOWN, label=BEFORE)
    axes.scatter(places, now, s=14, color=SEEN, label=NOW)
    axes.axhline(0.5, color=INK, lw=0.6, ls=(0, (4, 3)))
    axes.set(xlim=(-0.7, len(before) - 0.3), ylim=(0, 1), xlabel="bit", ylabel="share of ones")
    _legend(axes)
    return _png(figure)


@plain_text()
def nearest(before: Floats, now: Floats) -> bytes:
    """Share of pictures farther than each distance from every item, float64[bits]."""
    figure, axes = _plot(5.6, 3.0)
    places = np.arange(len(before))
    axes.step(places, before, where="post", color=KNOWN, lw=2.2, label=BEFORE)
    axes.step(places, now, where="post", color=SEEN, lw=2.2, label=NOW)
    last = int(np.flatnonzero((before > 0) | (now > 0)).max(initial=0)) + 1
    axes.set(xlim=(0, max(last, 4)), ylim=(0, 1), xlabel="Hamming distance", ylabel="share farther than that")
    _legend(axes)
    return _png(figure)


@plain_text()
def classes(names: Sequence[str], before: Floats, now: Floats) -> bytes:
    """Share of each top node, float64[T]; of many those whose shares differ most."""
    shown = np.argsort(-np.abs(now - before), kind="stable")[:MOST_NODES]
    shown = shown[np.argsort(-before[shown], kind="stable")]
    figure, axes = _plot(5.6, 0.9 + 0.28 * len(shown))
    places = np.arange(len(shown))[::-1]
    axes.barh(places + 0.19, before[shown], height=0.36, color=KNOWN, label=BEFORE)
    axes.barh(places - 0.19, now[shown], height=0.36, color=SEEN, label=NOW)
    axes.set_yticks(places, [short(names[node]) for node in shown], fontsize=8)
    axes.set(xlabel="share")
    _legend(axes)
    return _png(figure)


def left_out(names: Sequence[str]) -> str:
    """What `classes` does not show."""
    return f" {MOST_NODES} of {len(names)} shown, those that differ most." if len(names) > MOST_NODES else ""


def _legend(axes: Any) -> None:
    axes.legend(
        frameon=False, fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0
    )


def _plot(width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)
    axes.tick_params(colors=INK, labelsize=9, color=PALE)
    axes.grid(color=PALE, lw=0.5, alpha=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=144, metadata={"Software": None})
    return data.getvalue()
