"""The loop in one picture: python -m tests.loop.picture loop.json loop.png."""

import argparse
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from taxohash.runtime.drawing import plain_text
from tests.loop.alerts import ALERT

Told = Mapping[str, Any]
_WIDTH, _LEFT, _DPI = 14.0, 2.2, 100
_COLORS = 96  # that a PNG is left with: few bytes, and no difference to be seen
# Of kinds of searches, in the order in which they come; the last is that of the second drift.
_KINDS = ("#4477aa", "#88ccee", "#ddcc77", "#ee8866")
_GENERATIONS = ("#c3cfdd", "#a9d3a2", "#ddaacc")
_VERDICTS = {"published": "#228833", "refused": "#cc3311", "awaiting approval": "#aa8800"}
_FIRES, _HOLDS, _OTHER, _INK = "#cc3311", "#f4b9a8", "#888888", "#222222"


class Lane(NamedTuple):
    """A part of the picture, and its height in inches."""

    title: str
    draw: Callable[[Axes, Told], None]
    height: float


def draw(told: Told, out: Path) -> None:
    """Draw what `tests.loop.record.whole` told into a PNG, 1400 pixels wide."""
    lanes = [
        Lane("Searches a second", _searches, 1.2),
        Lane("Searches that are far from every item", _far, 1.2),
        Lane("Alerts", _alerts, 0.3 + 0.27 * len(_names(told))),
        Lane("Runs that the trigger began", _runs, 0.8),
        Lane("Generation that answers", _served, 0.35),
        Lane("Recall@10 of canaries", _recall, 1.4),
        Lane("Searches that failed, answers that were of two generations", _failed, 0.35),
        Lane(_taken(told), _seconds, 1.1),
    ]
    key = 0.35 + 0.24 * ((len(_marked(told)) + 1) // 2)
    height = sum(lane.height + 0.46 for lane in lanes) + key + 1.55
    with plain_text():
        figure = Figure(figsize=(_WIDTH, height), dpi=_DPI)
        FigureCanvasAgg(figure)
        top = height - 1.4
        for number, lane in enumerate(lanes):
            top -= lane.height
            axes = figure.add_axes(
                (_LEFT / _WIDTH, top / height, (_WIDTH - _LEFT - 0.25) / _WIDTH, lane.height / height)
            )
            _frame(axes, told, lane.title, is_last=lane is lanes[-1])
            lane.draw(axes, told)
            if not number:
                _numbers(axes, told)
            top -= 0.46
        _write(figure, 0.25, height - 0.35, "The loop closes by itself", fontsize=17, fontweight="bold")
        _write(figure, 3.7, height - 0.35, _subtitle(told), fontsize=11, color=_OTHER)
        lines = [
            f"{number}  {event['at']:.0f} s  {event['mark']}" for number, event in enumerate(_marked(told), 1)
        ]
        half = (len(lines) + 1) // 2
        for column, own in enumerate((lines[:half], lines[half:])):
            _write(figure, 0.3 + 6.9 * column, key, "\n".join(own), va="top", fontsize=10.5, linespacing=1.45)
        _save(figure, out)


# -- lanes ----------------------------------------------------------------------------------------------------------


def _searches(axes: Axes, told: Told) -> None:
    kinds = told["searches"]["kinds"]
    axes.stackplot(_times(told), *map(_smooth, kinds.values()), labels=[*kinds], colors=_KINDS)
    axes.set_ylim(0)
    _legend(axes)


def _far(axes: Axes, told: Told) -> None:
    _line(axes, told["far"], color=_INK, label="share in the window of the rule")
    axes.axhline(
        told["bound"], color=_FIRES, linestyle="--", label=f"above {100 * told['bound']:g} % the alert fires"
    )
    axes.set_ylim(0, 1)
    _percent(axes)
    _legend(axes)


def _alerts(axes: Axes, told: Told) -> None:
    names = _names(told)
    for alert in (own for own in told["alerts"] if own["name"] in names):
        color = _FIRES if alert["state"] == "firing" else _HOLDS
        width = max(alert["end"] - alert["begin"], 0.5)
        axes.broken_barh([(alert["begin"], width)], (names.index(alert["name"]) - 0.4, 0.8), color=color)
    for color, label in ((_HOLDS, "its expression holds"), (_FIRES, "it fires")):
        axes.fill_between([], [], color=color, label=label)
    shown = [name.removeprefix("Taxohash") for name in names]
    axes.set_yticks(range(len(names)), shown, fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)
    _legend(axes)


def _runs(axes: Axes, told: Told) -> None:
    rows, (begin, end) = ("reindex", "retrain"), axes.get_xlim()
    for run in told["history"]:
        if run["end"] < begin:
            continue
        row, color = rows.index(run["pipeline"]), _VERDICTS.get(run["verdict"], _OTHER)
        axes.broken_barh([(run["begin"], run["end"] - run["begin"])], (row - 0.4, 0.8), color=color)
        said, much = f"{run['verdict']}, for {' and '.join(run['reasons'])}", 0.2 * (end - begin)
        if run["end"] - run["begin"] > much:
            at, ha, ink = (run["begin"] + run["end"]) / 2, "center", "white"
        elif run["end"] + much < end:
            at, ha, ink = run["end"] + 0.02 * much, "left", color
        else:
            at, ha, ink = run["begin"] - 0.02 * much, "right", color
        axes.text(at, row, said, ha=ha, va="center", fontsize=10, color=ink)
    axes.set_yticks(range(len(rows)), rows, fontsize=10)
    axes.set_ylim(len(rows) - 0.4, -0.6)


def _served(axes: Axes, told: Told) -> None:
    end = axes.get_xlim()[1]
    begins = [*told["served"].values(), end]
    for number, (generation, begin) in enumerate(told["served"].items()):
        width = begins[number + 1] - begin
        axes.broken_barh([(begin, width)], (-0.5, 1), color=_GENERATIONS[number % len(_GENERATIONS)])
        axes.text(begin + width / 2, 0, generation, ha="center", va="center", fontsize=10)
    axes.set_yticks([])
    axes.set_ylim(-0.5, 0.5)


def _recall(axes: Axes, told: Told) -> None:
    colors = ("#006699", _KINDS[3])
    for color, kinds in zip(colors, dict.fromkeys(one["kinds"] for one in told["canaries"]), strict=False):
        rounds = [one for one in told["canaries"] if one["kinds"] == kinds]
        for number, level in enumerate(rounds[0]["recall"]):
            points = [(one["at"], one["recall"][level]) for one in rounds]
            _line(
                axes,
                points,
                marker="o",
                drawstyle="steps-post",
                color=color,
                linewidth=1.2,
                label="" if number else kinds,
            )
        for said in _together(rounds[0]["recall"]):
            axes.annotate(
                said[1], (rounds[0]["at"], said[0]), (-7, 0), textcoords="offset points", ha="right", va="center", fontsize=9,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )  # fmt: skip
    finest = {key.split(" ")[0]: points for key, points in told["canary_recall"].items()}
    for number, points in enumerate(finest.values()):
        label = "" if number else "the generation's own, by the service itself"
        _line(axes, points, color=_OTHER, linewidth=2.5, alpha=0.6, label=label)
    axes.set_ylim(-0.05, 1.08)
    _percent(axes)
    _legend(axes)


def _failed(axes: Axes, told: Told) -> None:
    found = told["found"]
    failed = sum(found["failed"].values())
    axes.bar(_times(told), told["searches"]["failed"], width=1, color=_FIRES)
    said = f"{failed} failed, {found['mixed']} of two generations, of {found['searches']:,}"
    axes.text(0.5, 0.5, said, transform=axes.transAxes, ha="center", va="center", fontsize=11)
    axes.set_yticks([0])
    axes.set_ylim(0, 5)


def _seconds(axes: Axes, told: Told) -> None:
    _line(axes, _points(told, "slowest"), color="#bbbbbb", linewidth=1, label="slowest of each second")
    _line(axes, _points(told, "median"), color=_INK, linewidth=1, label="median")
    axes.set_yscale("log")
    axes.set_ylim(1, 2000)
    axes.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    axes.minorticks_off()
    axes.set_xlabel("seconds since the beginning", fontsize=10)
    _legend(axes)


# -- what they have in common ---------------------------------------------------------------------------------------


def _frame(axes: Axes, told: Told, title: str, is_last: bool) -> None:
    begin = told["searches"]["begin"]
    axes.set_xlim(begin, begin + len(told["searches"]["failed"]))
    axes.text(0, 1.07, title, transform=axes.transAxes, fontsize=12, fontweight="bold")
    axes.tick_params(labelsize=10, labelbottom=is_last)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for event in _marked(told):
        axes.axvline(event["at"], color=_INK, linewidth=0.8, linestyle=(0, (2, 3)), zorder=3)


def _numbers(axes: Axes, told: Told) -> None:
    """The numbers of the events, above the first lane."""
    begin, end = axes.get_xlim()
    inches = (_WIDTH - _LEFT - 0.25) / (end - begin)
    last = [-9.0] * 3  # where the last number of each row is
    for number, event in enumerate(_marked(told), start=1):
        at = (event["at"] - begin) * inches
        row = next((row for row in range(3) if at - last[row] > 0.22), 2)
        last[row] = at
        axes.annotate(
            str(number), (event["at"], 1), (0, 26 + 15 * row), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="center", va="center", fontsize=9, color="white", annotation_clip=False,
            bbox={"boxstyle": "circle", "facecolor": _INK, "edgecolor": "none", "pad": 0.2},
        )  # fmt: skip


def _subtitle(told: Told) -> str:
    rules = f"a minute of the shipped rules is {60 / told['pace']:g} s"
    return f"make loop at commit {told['commit'][:10]}: a real service, trigger, Prometheus and Alertmanager; {rules}"


def _taken(told: Told) -> str:
    taken = told["found"]["milliseconds"]
    return f"Milliseconds to an answer, on cores that train too: half within {taken['p50']:g}, 99 % within {taken['p99']:g}"


def _marked(told: Told) -> list[dict[str, Any]]:
    return [event for event in told["events"] if event["mark"]]


def _names(told: Told) -> list[str]:
    """Of the alerts that fired."""
    fired = dict.fromkeys(alert["name"] for alert in told["alerts"] if alert["state"] == "firing")
    return [ALERT, *(name for name in fired if name != ALERT)]


def _together(shares: Mapping[str, float]) -> list[tuple[float, str]]:
    """Levels that have one share, named at once."""
    return [
        (share, ", ".join(level for level, own in shares.items() if own == share))
        for share in dict.fromkeys(shares.values())
    ]


def _times(told: Told) -> list[float]:
    begin = told["searches"]["begin"]
    return [begin + second + 0.5 for second in range(len(told["searches"]["failed"]))]


def _points(told: Told, name: str) -> list[tuple[float, float]]:
    return [(at, value) for at, value in zip(_times(told), told["searches"][name], strict=True) if value]


def _smooth(counts: Sequence[int]) -> list[float]:
    """Means of three seconds: kinds come in turn, and not evenly in each second."""
    parts = [counts[max(0, second - 1) : second + 2] for second in range(len(counts))]
    return [sum(part) / len(part) for part in parts]


def _line(axes: Axes, points: Sequence[tuple[float, float]], **options: Any) -> None:
    axes.plot([at for at, _ in points], [value for _, value in points], **options)


def _percent(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 0.97), frameon=False, fontsize=10, ncols=5, borderaxespad=0.2,
        handlelength=1.4, columnspacing=1.4,
    )  # fmt: skip


def _write(figure: Figure, left: float, bottom: float, text: str, **options: Any) -> None:
    """Text at a place in inches."""
    width, height = figure.get_size_inches()
    figure.text(left / width, bottom / height, text, **options)


def _save(figure: Figure, out: Path) -> None:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as picture:
        picture.convert("RGB").quantize(_COLORS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("told", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    draw(json.loads(given.told.read_text()), given.out)
