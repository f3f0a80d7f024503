"""The loop in one picture: python -m tests.loop.picture loop.json loop.png."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from taxohash.runtime.drawing import plain_text

Told = Mapping[str, Any]
_INCHES, _DPI = (14.0, 13.0), 100
_KINDS = (
    "#4477aa",
    "#ccbb44",
    "#66ccee",
    "#ee7733",
    "#aa3377",
)  # of searches, in the order in which they come
_GENERATIONS = ("#bbccdd", "#8fbf8f", "#ddaacc")
_VERDICTS = {"published": "#228833", "refused": "#cc3311", "awaiting approval": "#ddaa33"}
_ALERT, _OTHER, _INK = "#cc3311", "#999999", "#333333"
_LEVELS = ("--", "-.", "-", ":")  # from the coarsest


class Lane(NamedTuple):
    """A part of the picture, and how high it is."""

    title: str
    draw: Callable[[Axes, Told], None]
    height: float


def draw(told: Told, out: Path) -> None:
    """Draw what `tests.loop.record.whole` told into a PNG."""
    lanes = [
        Lane("searches a second,\nby what they show", _searches, 1.3),
        Lane("far from every item,\nshare of searches", _far, 1.3),
        Lane("alerts", _alerts, 0.35 + 0.25 * len(_names(told))),
        Lane("runs that the\ntrigger began", _runs, 0.9),
        Lane("generation\nthat answers", _served, 0.45),
        Lane("recall@10 of\ncanaries", _recall, 1.3),
        Lane("milliseconds\nto an answer", _seconds, 1.1),
    ]
    with plain_text():
        figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(_headline(told), fontsize=14, x=0.01, ha="left")
        parts: Any = figure.subfigures(2, 1, height_ratios=[sum(lane.height for lane in lanes), 1.9])
        grid = parts[0].subplots(
            len(lanes), 1, sharex=True, gridspec_kw={"height_ratios": [lane.height for lane in lanes]}
        )
        begin = told["searches"]["begin"]
        end = begin + len(told["searches"]["failed"])
        for axes, lane in zip(grid, lanes, strict=True):
            lane.draw(axes, told)
            axes.set_title(lane.title, rotation=0, loc="left", x=-0.105, y=0.5, va="center", fontsize=11)
            axes.set_xlim(begin, end)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
            for event in _marked(told):
                axes.axvline(event["at"], color=_INK, linewidth=0.7, linestyle=(0, (2, 3)))
        _numbers(grid[0], told)
        grid[-1].set_xlabel("seconds since the loop began")
        _key(parts[1], told)
        figure.savefig(out, metadata={"Software": None})


# -- lanes ----------------------------------------------------------------------------------------------------------


def _searches(axes: Axes, told: Told) -> None:
    kinds = told["searches"]["kinds"]
    seconds = _seconds_of(told)
    axes.stackplot(seconds, *kinds.values(), labels=[*kinds], colors=_KINDS, step="post")
    axes.set_ylim(0)
    _legend(axes, ncols=len(kinds))


def _far(axes: Axes, told: Told) -> None:
    _line(axes, told["far"], color=_INK)
    axes.axhline(
        told["bound"], color=_ALERT, linestyle="--", label=f"above {told['bound']:g} the alert fires"
    )
    axes.set_ylim(0, 1)
    _percent(axes)
    _legend(axes)


def _alerts(axes: Axes, told: Told) -> None:
    names = _names(told)
    for alert in told["alerts"]:
        row, fires = names.index(alert["name"]), alert["state"] == "firing"
        width = max(alert["end"] - alert["begin"], 0.5)
        axes.broken_barh([(alert["begin"], width)], (row - 0.35, 0.7), color=_ALERT if fires else "#f4c7b8")
    axes.broken_barh([], (0, 0), color=_ALERT, label="fires")
    axes.broken_barh([], (0, 0), color="#f4c7b8", label="holds, not long enough yet")
    axes.set_yticks(range(len(names)), [name.removeprefix("Taxohash") for name in names], fontsize=8)
    axes.set_ylim(len(names) - 0.4, -0.6)
    _legend(axes)


def _runs(axes: Axes, told: Told) -> None:
    rows = ("reindex", "retrain")
    for run in told["history"]:
        row, color = rows.index(run["pipeline"]), _VERDICTS.get(run["verdict"], _OTHER)
        axes.broken_barh([(run["begin"], run["end"] - run["begin"])], (row - 0.35, 0.7), color=color)
        if run["end"] > axes.get_xlim()[0]:
            axes.annotate(
                f"{run['verdict']}, for {' and '.join(run['reasons'])}",
                (run["end"], row),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                color=color,
                annotation_clip=True,
            )
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)


def _served(axes: Axes, told: Told) -> None:
    begins = [*told["served"].values(), told["searches"]["begin"] + len(told["searches"]["failed"])]
    for number, (generation, begin) in enumerate(told["served"].items()):
        width = begins[number + 1] - begin
        axes.broken_barh([(begin, width)], (-0.4, 0.8), color=_GENERATIONS[number % len(_GENERATIONS)])
        axes.text(begin + width / 2, 0, generation, ha="center", va="center", fontsize=10)
    axes.set_yticks([])


def _recall(axes: Axes, told: Told) -> None:
    for number, kinds in enumerate(dict.fromkeys(one["kinds"] for one in told["canaries"])):
        own = [one for one in told["canaries"] if one["kinds"] == kinds]
        for level, style in zip(own[0]["recall"], _LEVELS, strict=False):
            axes.plot(
                [one["at"] for one in own],
                [one["recall"][level] for one in own],
                style,
                marker="o",
                color=_KINDS[3 - 2 * number],
                label=f"{kinds}: {level}" if level == [*own[0]["recall"]][-1] else None,
            )
    for points in told["canary_recall"].values():
        _line(axes, points, color=_OTHER)
    axes.set_ylim(-0.05, 1.05)
    _percent(axes)
    _legend(axes)


def _seconds(axes: Axes, told: Told) -> None:
    seconds = _seconds_of(told)
    for name, color in (("slowest", _OTHER), ("median", _INK)):
        axes.plot(seconds, told["searches"][name], color=color, label=f"{name} of each second", linewidth=1)
    axes.set_yscale("log")
    found = told["found"]
    failed = sum(found["failed"].values())
    axes.text(
        0.01,
        0.9,
        f"{found['searches']:,} searches: {failed} failed, {found['mixed']} answers of two generations",
        transform=axes.transAxes,
        va="top",
        fontsize=11,
        fontweight="bold",
    )
    _legend(axes)


# -- what they have in common ---------------------------------------------------------------------------------------


def _headline(told: Told) -> str:
    return f"make loop, commit {told['commit'][:12]}: a minute of the shipped rules is {60 / told['pace']:g} s here"


def _marked(told: Told) -> list[dict[str, Any]]:
    return [event for event in told["events"] if event["mark"]]


def _numbers(axes: Axes, told: Told) -> None:
    for number, event in enumerate(_marked(told), start=1):
        axes.annotate(
            str(number),
            (event["at"], 1),
            (0, 6),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color="white",
            bbox={"boxstyle": "circle", "facecolor": _INK, "edgecolor": "none", "pad": 0.25},
        )


def _key(part: Any, told: Told) -> None:
    """What the numbers are, in two columns."""
    lines = [
        f"{number}   {event['at']:.0f} s: {event['mark']}" for number, event in enumerate(_marked(told), 1)
    ]
    half = (len(lines) + 1) // 2
    for column, own in enumerate((lines[:half], lines[half:])):
        part.text(0.02 + 0.5 * column, 0.95, "\n".join(own), va="top", fontsize=10.5, linespacing=1.5)


def _names(told: Told) -> list[str]:
    return [*dict.fromkeys(alert["name"] for alert in told["alerts"])]


def _seconds_of(told: Told) -> list[float]:
    begin = told["searches"]["begin"]
    return [begin + second for second in range(len(told["searches"]["failed"]))]


def _line(axes: Axes, points: Sequence[tuple[float, float]], **options: Any) -> None:
    axes.plot([at for at, _ in points], [value for _, value in points], **options)


def _percent(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")


def _legend(axes: Axes, **options: Any) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9, **options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("told", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    draw(json.loads(given.told.read_text()), given.out)
