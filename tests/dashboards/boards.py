"""The committed dashboards as their readers see them: panels, and expressions whose variables have a value."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "manifests" / "monitoring" / "dashboards"
Board = dict[str, Any]
Variables = Mapping[str, str]
# As Grafana has them where nobody chose anything, with a scrape each 15 seconds and a day that is shown.
CHOSEN: Variables = {
    "datasource": "prometheus",
    "namespace": ".*",
    "collection": ".*",
    "generation": ".*",
    "window": "1h",
    "__rate_interval": "1m",
    "__range": "1d",
}


@dataclass(frozen=True)
class Asked:
    """An expression of a dashboard.

    Attributes:
        where: the titles of dashboard and panel, and the letter of the query.
    """

    where: str
    expr: str


def boards() -> list[Board]:
    """All of them, in the order in which people look."""
    order = ("service", "retrieval-quality", "store", "pipelines")
    return [json.loads((FOLDER / f"{name}.json").read_text()) for name in order]


def panels(board: Board) -> Iterator[dict[str, Any]]:
    """Those that show something."""
    yield from (panel for panel in board["panels"] if panel["type"] != "row")


def expressions(board: Board, variables: Variables = CHOSEN) -> Iterator[Asked]:
    """Those of panels and annotations."""
    for panel in panels(board):
        for target in panel["targets"]:
            where = f"{board['title']} / {panel['title']} / {target['refId']}"
            yield Asked(where, filled(target["expr"], variables))
    for annotation in board.get("annotations", {}).get("list", ()):
        yield Asked(f"{board['title']} / {annotation['name']}", filled(annotation["expr"], variables))


def filled(expr: str, variables: Variables) -> str:
    """With values in the places of variables."""
    return re.sub(r"\$([a-z_]\w*)", lambda found: variables[found[1]], expr)
