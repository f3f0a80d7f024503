"""Panels of each kind, drawn with matplotlib about as Grafana draws them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tests.dashboards.boards import Variables, filled
from tests.dashboards.source import Numbers, Series, Source
from tests.dashboards.words import said

COLORS = {
    "green": "#3f9c35",
    "yellow": "#d9a400",
    "orange": "#e8710a",
    "red": "#d62f3f",
    "blue": "#3274d9",
    "gray": "#c7ccd4",
}
_PALETTE = (
    *("#56a64b", "#3274d9", "#ff780a", "#e02f44", "#a352cc", "#f2cc0c", "#33a2c4", "#b86b4b", "#7c8b99"),
    *("#2f6f27", "#1f4e96", "#b34f00", "#96001c", "#6a2a8c", "#a68a00"),
)
INK, FAINT, GRID = "#24292e", "#6b7280", "#e6e8eb"
_SMALL, _TINY = 7.5, 6.8  # points
_LETTER = 0.053  # inches that one of a legend takes


@dataclass(frozen=True)
class Cell:
    """The place of a panel on the figure, in inches from its upper left corner."""

    figure: Any
    left: float
    top: float
    width: float
    height: float

    def axes(self, left: float, top: float, right: float, bottom: float) -> Any:
        """Axes within margins, in inches."""
        whole_width, whole_height = self.figure.get_size_inches()
        width, height = self.width - left - right, max(self.height - top - bottom, 0.1)
        low = whole_height - self.top - top - height
        place = ((self.left + left) / whole_width, low / whole_height)
        axes = self.figure.add_axes((*place, width / whole_width, height / whole_height), zorder=2)
        axes.tick_params(labelsize=_TINY, colors=FAINT, length=0, pad=3)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return axes

    def text(self, left: float, top: float, text: str, **how: Any) -> None:
        """Write something, inches from the upper left corner of the panel."""
        width, height = self.figure.get_size_inches()
        place = ((self.left + left) / width, 1 - (self.top + top) / height)
        self.figure.text(
            *place, text, **({"fontsize": _SMALL, "color": INK, "va": "center", "zorder": 3} | how)
        )

    def patch(self, left: float, top: float, width: float, height: float, **how: Any) -> None:
        """A rectangle, inches from the upper left corner of the panel."""
        whole_width, whole_height = self.figure.get_size_inches()
        low = 1 - (self.top + top + height) / whole_height
        place = ((self.left + left) / whole_width, low)
        made = Rectangle(
            place,
            width / whole_width,
            height / whole_height,
            transform=self.figure.transFigure,
            **({"linewidth": 0, "zorder": 1} | how),
        )
        self.figure.add_artist(made)


class Entry(NamedTuple):
    """Of a legend."""

    name: str
    color: str
    dashed: bool = False


@dataclass(frozen=True, eq=False)
class Shown:
    """What one query of a panel found.

    Attributes:
        dashed: whether it is drawn to compare with.
        name: of the query where its series are one column.
    """

    name: str
    dashed: bool
    series: Sequence[tuple[str, Series]]


@dataclass(frozen=True, eq=False)
class Look:
    """A panel with what its queries found."""

    panel: dict[str, Any]
    found: Sequence[Shown]
    events: Sequence[float]

    @property
    def defaults(self) -> dict[str, Any]:
        """How its values are shown."""
        told: dict[str, Any] = self.panel["fieldConfig"]["defaults"]
        return told

    @property
    def series(self) -> list[tuple[str, Series, bool]]:
        """All of all queries: name, values, whether dashed."""
        return [(name, one, shown.dashed) for shown in self.found for name, one in shown.series]

    def said(self, value: float) -> str:
        """A value in the panel's unit."""
        return said(value, self.defaults["unit"], self.defaults.get("decimals"))

    def color(self, value: float) -> str:
        """That thresholds or words give a value."""
        word = self.word(value)
        if word:
            return COLORS[word["color"]]
        steps = self.defaults["thresholds"]["steps"]
        fitting = [step["color"] for step in steps if step.get("value") is None or not value < step["value"]]
        return COLORS[fitting[-1]]

    def word(self, value: float) -> dict[str, Any] | None:
        """That stands for a value."""
        for mapping in self.defaults.get("mappings") or ():
            if f"{value:g}" in mapping["options"]:
                found: dict[str, Any] = mapping["options"][f"{value:g}"]
                return found
        return None


def look(panel: dict[str, Any], source: Source, variables: Variables, events: Sequence[float]) -> Look:
    """Ask what a panel asks."""
    dashed = {
        override["matcher"]["options"]
        for override in panel["fieldConfig"].get("overrides", ())
        if any(own["id"] == "custom.lineStyle" for own in override["properties"])
    }
    renamed = _renamed(panel)
    found = []
    for target in panel["targets"]:
        ask = source.now if target.get("instant") else source.over_time
        series = [(_name(target, one), one) for one in ask(filled(target["expr"], variables))]
        name = renamed.get(f"Value #{target['refId']}", target["refId"])
        found.append(Shown(name, target["refId"] in dashed, series))
    return Look(panel, found, events)


def _renamed(panel: dict[str, Any]) -> Mapping[str, str]:
    """What the columns of a table or of bars are called."""
    for step in panel.get("transformations") or ():
        if step["id"] == "organize":
            found: Mapping[str, str] = step["options"]["renameByName"]
            return found
    return {}


def _name(target: dict[str, Any], one: Series) -> str:
    form = target.get("legendFormat", "")
    if form == "__auto":
        return ", ".join(one.labels.values())
    return re.sub(r"{{\s*(\w+)\s*}}", lambda found: one.labels.get(found[1], ""), form).strip(" ,:")


# -- kinds ------------------------------------------------------------------------------------------------


def lines(cell: Cell, look: Look) -> None:
    """Time series."""
    custom = look.defaults.get("custom", {})
    stacked = custom.get("stacking", {}).get("mode") == "normal"
    series = look.series
    colors = [_PALETTE[place % len(_PALETTE)] for place in range(len(series))]
    named = [Entry(name, color, dashed) for (name, _, dashed), color in zip(series, colors, strict=True)]
    axes = cell.axes(0.72, 0.4, 0.16, 0.3 + _legend(cell, named))
    below: Numbers | float = 0.0
    for (_, one, dashed), color in zip(series, colors, strict=True):
        values = np.where(np.isfinite(one.values), one.values, np.nan)
        if stacked:
            above = below + np.nan_to_num(values)
            axes.fill_between(one.times, below, above, color=color, alpha=0.4, linewidth=0)
            axes.plot(one.times, above, color=color, linewidth=1)
            below = above
            continue
        axes.plot(one.times, values, color=color, linewidth=1.3, linestyle=(0, (4, 3)) if dashed else "-")
    _value_range(axes, look, [one for _, one, _ in series])
    if custom.get("thresholdsStyle", {}).get("mode") == "dashed":
        for step in look.defaults["thresholds"]["steps"][1:]:
            axes.axhline(step["value"], color=COLORS[step["color"]], linewidth=0.9, linestyle=(0, (6, 3)))
    for event in look.events:
        axes.axvline(event, color=COLORS["blue"], linewidth=0.9, linestyle=":")
    _value_axis(axes, look)
    _time_axis(axes, series)


def number(cell: Cell, look: Look) -> None:
    """Stat: the last value above its course."""
    series = look.series
    known = [one for _, one, _ in series if not np.isnan(one.last)]
    if not known:
        text = look.defaults.get("noValue", "No data")
        cell.text(cell.width / 2, cell.height * 0.58, text, ha="center", fontsize=17, color=FAINT)
        return
    for place, one in enumerate(known[:3]):
        value, color = one.last, look.color(one.last)
        word = look.word(value)
        text = word["text"] if word else look.said(value)
        middle = cell.width * (place + 0.5) / min(len(known), 3)
        size = min(25.0, 1.45 * 72 * cell.width / min(len(known), 3) / max(len(text), 1))
        cell.text(middle, cell.height * 0.5, text, ha="center", fontsize=size, color=color, fontweight="bold")
    first = known[0]
    if len(first.times) > 1 and len(known) == 1:
        axes = cell.axes(0.02, cell.height * 0.68, 0.02, 0.02)
        axes.axis("off")
        color = look.color(first.last)
        values = np.where(np.isfinite(first.values), first.values, np.nan)
        axes.plot(first.times, values, color=color, linewidth=1)
        axes.fill_between(first.times, np.nanmin(values), values, color=color, alpha=0.15, linewidth=0)
        axes.margins(x=0, y=0.15)


def bars(cell: Cell, look: Look) -> None:
    """Bar gauge."""
    series = [(name, one.last) for name, one, _ in look.series]
    if not series:
        _nothing(cell, look)
        return
    most = look.defaults.get("max") or max((value for _, value in series), default=0) or 1.0
    room = min((cell.height - 0.5) / len(series), 0.4)
    names = min(0.085 + _LETTER * max(len(name) for name, _ in series), cell.width * 0.48)
    high = min(0.22, room * 0.75)
    for place, (name, value) in enumerate(series):
        top = 0.42 + place * room + (room - high) / 2
        cell.text(0.1, top + high / 2, name, fontsize=_TINY)
        width = cell.width - names - 0.85
        cell.patch(0.1 + names, top, width, high, facecolor="#eef0f2")
        cell.patch(0.1 + names, top, width * min(value / most, 1.0), high, facecolor=look.color(value))
        cell.text(cell.width - 0.1, top + high / 2, look.said(value), ha="right", fontsize=_SMALL, color=INK)


def side_by_side(cell: Cell, look: Look) -> None:
    """Bar chart: groups by a label, one bar of each query in each."""
    label = look.panel["options"]["xField"]
    told = [{one.labels[label]: one.last for _, one in shown.series} for shown in look.found]
    groups = sorted({name for column in told for name in column})
    if not groups:
        _nothing(cell, look)
        return
    colors = _PALETTE[: len(told)]
    named = [Entry(shown.name, color) for shown, color in zip(look.found, colors, strict=True)]
    axes = cell.axes(0.72, 0.4, 0.16, 0.32 + _legend(cell, named))
    wide = 0.8 / len(told)
    for place, (column, color) in enumerate(zip(told, colors, strict=True)):
        at = np.arange(len(groups)) - 0.4 + wide * (place + 0.5)
        axes.bar(at, [column.get(name, np.nan) for name in groups], wide * 0.95, color=color, alpha=0.85)
    axes.set_ylim(0, None)
    every = max(1, len(groups) // 32)
    axes.set_xticks(range(0, len(groups), every), groups[::every])
    axes.set_xlim(-0.6, len(groups) - 0.4)
    _value_axis(axes, look)


def heat(cell: Cell, look: Look) -> None:
    """Heat map of cumulative buckets."""
    series = sorted((one for _, one, _ in look.series), key=lambda one: float(one.labels["le"]))
    if not series:
        _nothing(cell, look)
        return
    counts = np.diff(np.array([np.nan_to_num(one.values) for one in series]), axis=0, prepend=0.0)
    axes = cell.axes(0.72, 0.4, 0.62, 0.3)
    step = series[0].times[1] - series[0].times[0]
    times = np.append(series[0].times, series[0].times[-1] + step)
    shown = np.ma.masked_less_equal(counts, 1e-9)
    drawn = axes.pcolormesh(times, np.arange(len(series) + 1), shown, cmap="YlGnBu")
    edges = [one.labels["le"].removesuffix(".0").replace("+Inf", "∞") for one in series]
    axes.set_yticks(np.arange(len(series)) + 0.5, [f"≤ {edge}" for edge in edges])
    axes.set_ylabel(look.panel["options"]["yAxis"]["axisLabel"], fontsize=_TINY, color=FAINT)
    scale = cell.axes(cell.width - 0.52, 0.4, 0.42, 0.3)
    cell.figure.colorbar(drawn, cax=scale)
    scale.tick_params(labelsize=_TINY, colors=FAINT, length=0, pad=2)
    scale.yaxis.set_major_locator(MaxNLocator(5))
    scale.spines["outline"].set_visible(False)
    for event in look.events:
        axes.axvline(event, color=COLORS["blue"], linewidth=0.9, linestyle=":")
    _time_axis(axes, [("", series[0], False)])


def rows(cell: Cell, look: Look) -> None:
    """Table: the same labels of all queries in one row."""
    order = next(s["options"]["indexByName"] for s in look.panel["transformations"] if s["id"] == "organize")
    values = {
        override["matcher"]["options"]: override["properties"][0]["value"]
        for override in look.panel["fieldConfig"].get("overrides", ())
    }
    found: dict[tuple[str, ...], dict[str, str]] = {}
    names = [name for name in order if not name.startswith("Value")]
    labels = [
        name for name in names if any(name in one.labels for shown in look.found for _, one in shown.series)
    ]
    columns = [_column(look, shown) for shown in look.found]
    for shown, column in zip(look.found, columns, strict=True):
        unit = values.get(column, look.defaults["unit"])
        for _, one in shown.series:
            key = tuple(one.labels.get(name, "") for name in labels)
            found.setdefault(key, {})[column] = said(one.last, unit)
    if not found:
        _nothing(cell, look)
        return
    header = [*labels, *columns]
    lines_ = [[*key, *(row.get(column, "") for column in columns)] for key, row in found.items()]
    _table(cell, header, lines_, len(labels))


def _column(look: Look, shown: Shown) -> str:
    return shown.name if len(look.found) > 1 else _renamed(look.panel)["Value"]


def _table(cell: Cell, header: Sequence[str], lines_: Sequence[Sequence[str]], labels: int) -> None:
    longest = [max(len(row[place]) for row in [header, *lines_]) + 2 for place in range(len(header))]
    width = cell.width - 0.24
    ends = np.cumsum(longest) / sum(longest) * width + 0.12
    starts = np.concatenate([[0.12], ends[:-1]])
    high = 0.235
    fitting = int((cell.height - 0.72) / high)
    for number_, row in enumerate([header, *lines_[:fitting]]):
        top = 0.5 + number_ * high
        if number_ % 2 == 0 and number_:
            cell.patch(0.08, top - high / 2, cell.width - 0.16, high, facecolor="#f5f6f8")
        for place, text in enumerate(row):
            how = {"color": FAINT, "fontweight": "bold"} if not number_ else {}
            left = starts[place] if place < labels else ends[place] - 0.06
            cell.text(left, top, text, ha="left" if place < labels else "right", fontsize=_SMALL, **how)
    if len(lines_) > fitting:
        cell.text(0.12, cell.height - 0.12, f"and {len(lines_) - fitting} more", fontsize=_TINY, color=FAINT)


def states(cell: Cell, look: Look) -> None:
    """State timeline: a line for each series, colored by what holds."""
    series = look.series
    if not series:
        _nothing(cell, look)
        return
    words = [own for mapping in look.defaults.get("mappings") or () for own in mapping["options"].values()]
    named = [Entry(own["text"], COLORS[own["color"]]) for own in words]
    names = min(0.15 + _LETTER * max(len(name) for name, _, _ in series), cell.width * 0.45)
    axes = cell.axes(names, 0.4, 0.16, 0.3 + _legend(cell, named))
    for place, (_, one, _) in enumerate(series):
        step = one.times[1] - one.times[0]
        for time, value in zip(one.times, one.values, strict=True):
            if not np.isnan(value):
                color = to_rgba(look.color(value), 0.85)
                axes.broken_barh([(time, step)], (place - 0.4, 0.8), facecolors=color, linewidth=0)
    axes.set_ylim(len(series) - 0.5, -0.5)
    axes.set_yticks(range(len(series)), [name for name, _, _ in series])
    _time_axis(axes, series)


KINDS: dict[str, Callable[[Cell, Look], None]] = {
    "timeseries": lines,
    "stat": number,
    "bargauge": bars,
    "barchart": side_by_side,
    "heatmap": heat,
    "table": rows,
    "state-timeline": states,
}


# -- what they share --------------------------------------------------------------------------------------


def _nothing(cell: Cell, look: Look) -> None:
    text = look.defaults.get("noValue") or "No data"
    cell.text(cell.width / 2, cell.height / 2, text, ha="center", fontsize=11, color=FAINT)


def _legend(cell: Cell, entries: Sequence[Entry]) -> float:
    """Names with their colors below a panel, on three lines at most; inches that they take."""
    laid: list[list[tuple[float, Entry]]] = [[]]
    left = 0.14
    for entry in entries:
        wide = 0.3 + _LETTER * len(entry.name)
        if left + wide > cell.width and laid[-1]:
            laid.append([])
            left = 0.14
        laid[-1].append((left, entry))
        left += wide
    kept, high = laid[:3], 0.165
    if left_out := sum(map(len, laid[3:])):
        at, _ = kept[-1].pop()
        kept[-1].append((at, Entry(f"and {left_out + 1} more", GRID)))
    for line, placed in enumerate(kept):
        top = cell.height - 0.12 - high * (len(kept) - 1 - line)
        for at, entry in placed:
            for begin, wide in ((0.0, 0.05), (0.08, 0.05)) if entry.dashed else ((0.0, 0.13),):
                cell.patch(at + begin, top - 0.015, wide, 0.03, facecolor=entry.color)
            cell.text(at + 0.18, top, entry.name, fontsize=_TINY)
    return high * len(kept) if entries else 0.0


def _value_range(axes: Any, look: Look, series: Sequence[Series]) -> None:
    """As far as values and the panel say; thresholds beyond are not seen, as in Grafana."""
    custom = look.defaults.get("custom", {})
    least, most = look.defaults.get("min"), look.defaults.get("max")
    if not any((np.nan_to_num(one.values) != 0).any() for one in series):
        axes.set_ylim(least, most or 1.0)
    low, high = axes.get_ylim()
    low = low if least is None else least
    high = max(high, custom.get("axisSoftMax", high)) if most is None else low + (most - low) * 1.02
    axes.set_ylim(low, high if high > low else low + 1)


_SCALES: dict[str, tuple[float, ...]] = {
    "bytes": (2.0**40, 2.0**30, 2.0**20, 2.0**10),
    "s": (86400.0, 3600.0, 60.0),
}


class _Round(MaxNLocator):
    """Marks at numbers that are round where they are said: of bytes by powers of 1024, of times by minutes, hours or days."""

    def __init__(self, unit: str) -> None:
        super().__init__(5)
        self._scales = _SCALES.get(unit, ())

    def tick_values(self, vmin: float, vmax: float) -> Any:
        scale = next((scale for scale in self._scales if vmax >= 1.5 * scale), 1.0)
        return np.asarray(super().tick_values(vmin / scale, vmax / scale)) * scale


def _value_axis(axes: Any, look: Look) -> None:
    axes.yaxis.set_major_locator(_Round(look.defaults["unit"]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: said(_even(value), look.defaults["unit"])))
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def _even(value: float) -> float:
    """Without what binary fractions leave."""
    return float(f"{value:.6g}")


def _time_axis(axes: Any, series: Sequence[tuple[str, Series, bool]]) -> None:
    if not series:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(
            0.5, 0.5, "No data", transform=axes.transAxes, ha="center", va="center", fontsize=11, color=FAINT
        )
        return
    times = series[0][1].times
    axes.set_xlim(times[0], times[-1])
    wide = axes.get_window_extent().width / axes.figure.dpi
    marks = np.linspace(times[0], times[-1], max(2, int(wide / 0.95)) + 1)[1:-1]
    axes.set_xticks(marks, [f"{datetime.fromtimestamp(mark):%H:%M:%S}" for mark in marks])
