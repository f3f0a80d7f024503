"""A page of the trials: how they went, what each field did, and the best."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from taxohash.runtime import drawing
from taxohash.runtime.atomic import write_text
from taxohash.runtime.pages import rendered
from taxohash.sweep.space import Interval, Space
from taxohash.sweep.trials import Trial, best

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOUR, BEST_COLOUR = "#2563a8", "#d55e00"
WIDTH = 3  # panels beside each other


def write_page(file: Path, space: Space, trials: Sequence[Trial], metric: str, title: str) -> None:
    """Write sweep.html, in which all is contained."""
    top = best(trials)
    picture = base64.b64encode(figure(space, trials, metric)).decode() if top else ""
    ordered = sorted(trials, key=lambda one: (one.score is None, -(one.score or 0.0), one.number))
    write_text(
        file,
        rendered(
            "taxohash.sweep",
            "sweep.html.j2",
            title=title,
            metric=metric,
            paths=list(space),
            trials=ordered,
            best=top,
            picture=picture,
            told=_told,
        ),
    )


@drawing.plain_text()
def figure(space: Space, trials: Sequence[Trial], metric: str) -> bytes:
    """PNG of `panels`."""
    file = io.BytesIO()
    panels(space, trials, metric).savefig(file, dpi=120)
    return file.getvalue()


def panels(space: Space, trials: Sequence[Trial], metric: str) -> "Figure":
    """The score of each trial and the best so far; then of each searched field its values and their scores."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter, MaxNLocator

    scored = [trial for trial in trials if trial.score is not None]
    scores = np.array([trial.score for trial in scored], np.float64)
    top = int(scores.argmax())
    count = len(space) + 1
    rows = -(-count // WIDTH)
    drawn = Figure(figsize=(4.2 * min(count, WIDTH), 3.4 * rows), layout="constrained")
    axes = np.atleast_1d(drawn.subplots(rows, min(count, WIDTH), squeeze=False)).reshape(-1)
    numbers = [trial.number + 1 for trial in scored]
    axes[0].plot(numbers, np.maximum.accumulate(scores), color=COLOUR, lw=1, drawstyle="steps-post")
    axes[0].scatter(numbers, scores, color=COLOUR, s=18)
    axes[0].set(xlabel="trial (line: best so far)", ylabel=metric)
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    for panel, (path, tried) in zip(axes[1:], space.items(), strict=False):
        values = [trial.values[path] for trial in scored]
        if isinstance(tried, Interval):
            if tried.log:
                panel.set_xscale("log")
                for formatter in (panel.xaxis.set_major_formatter, panel.xaxis.set_minor_formatter):
                    formatter(LogFormatter())  # the usual one writes mathematics
        else:
            known = list(tried.values)
            values = [known.index(value) for value in values]
            panel.set_xticks(range(len(known)), [drawing.short(str(value)) for value in known])
        panel.scatter(values, scores, color=COLOUR, s=18)
        panel.set(xlabel=drawing.short(path))
        panel.scatter(values[top], scores[top], color=BEST_COLOUR, s=42, zorder=3)
    axes[0].scatter(numbers[top], scores[top], color=BEST_COLOUR, s=42, zorder=3)
    for panel in axes[count:]:
        panel.set_visible(False)
    for panel in axes[:count]:
        panel.grid(alpha=0.3)
    return drawn


def _told(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
