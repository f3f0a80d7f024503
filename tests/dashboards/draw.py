"""A dashboard as a picture: its panels where Grafana would put them, with what Prometheus knows."""

import html
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from tests.dashboards.boards import Board, Variables, filled, panels
from tests.dashboards.kinds import FAINT, INK, KINDS, Cell, look
from tests.dashboards.source import Source

WIDTH = 1400  # pixels
_DPI = 100
_COLUMN = WIDTH / _DPI / 24
_ROW = 0.345  # inches of a row of the grid
_TOP = 0.62
_GAP = 0.04
_COLORS = 128  # of the palette


def beginning(board: Board, sections: int) -> Board:
    """Its first sections alone."""
    headings = [panel["gridPos"]["y"] for panel in board["panels"] if panel["type"] == "row"]
    end = [*headings, math.inf][sections]
    return board | {"panels": [panel for panel in board["panels"] if panel["gridPos"]["y"] < end]}


def draw(board: Board, source: Source, variables: Variables) -> Image.Image:
    """Every panel of a dashboard."""
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    figure = Figure(
        figsize=(WIDTH / _DPI, _TOP + bottom * _ROW + 0.1), dpi=_DPI, facecolor="#f0f2f5", edgecolor="none"
    )
    FigureCanvasAgg(figure)
    page = Cell(figure, 0.0, 0.0, WIDTH / _DPI, figure.get_size_inches()[1])
    page.text(0.14, 0.24, board["title"], fontsize=15, fontweight="bold")
    page.text(0.14, 0.47, board["description"], fontsize=8, color=FAINT)
    events = _events(board, source, variables)
    for panel in board["panels"]:
        at = panel["gridPos"]
        cell = Cell(
            figure, at["x"] * _COLUMN + _GAP, _TOP + at["y"] * _ROW + _GAP,
            at["w"] * _COLUMN - 2 * _GAP, at["h"] * _ROW - 2 * _GAP,
        )  # fmt: skip
        if panel["type"] == "row":
            cell.text(0.1, cell.height * 0.55, panel["title"], fontsize=10.5, fontweight="bold")
            continue
        cell.patch(
            0, 0, cell.width, cell.height, facecolor="white", edgecolor="#dfe2e6", linewidth=0.6, zorder=0
        )
        cell.text(0.12, 0.19, panel["title"], fontsize=8.8, fontweight="bold", color=INK)
        KINDS[panel["type"]](cell, look(panel, source, variables, events))
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=_DPI, facecolor=figure.get_facecolor())
    return Image.open(out).convert("RGB").quantize(_COLORS, dither=Image.Dither.NONE)


def _events(board: Board, source: Source, variables: Variables) -> list[float]:
    """When what annotations mark began."""
    found = []
    for annotation in board["annotations"].get("list", ()):
        for one in source.over_time(filled(annotation["expr"], variables)):
            known = one.times[one.values == one.values]
            found.append(float(known[0]))
    return found


def page(boards: Sequence[Board], folder: Path, told: str) -> None:
    """An index of all pictures, with what each panel says."""
    parts = [_of(board) for board in boards]
    text = (
        "<!doctype html><meta charset=utf-8><title>Dashboards</title><style>body{font:15px/1.5 system-ui;margin:2rem;max-width:1440px}"
        "img{max-width:100%;border:1px solid #ccc}td{vertical-align:top;padding:.2rem .8rem}code{font-size:12px}</style>"
        f"<h1>Dashboards</h1><p>{html.escape(told)}</p>{''.join(parts)}"
    )
    (folder / "index.html").write_text(text)


def _of(board: Board) -> str:
    name = file_of(board)
    rows = "".join(_row(panel) for panel in panels(board))
    title = html.escape(board["title"])
    return (
        f'<h2>{title}</h2><img src="{name}" alt="{title}"><details><summary>What each panel says</summary>'
        f"<table>{rows}</table></details>"
    )


def _row(panel: dict[str, Any]) -> str:
    asked = "<br>".join(f"<code>{html.escape(target['expr'])}</code>" for target in panel["targets"])
    return f"<tr><td>{html.escape(panel['title'])}<td>{html.escape(panel['description'])}<br>{asked}"


def file_of(board: Board) -> str:
    """The name of its picture."""
    return f"{board['uid'].removeprefix('taxohash-')}.png"
