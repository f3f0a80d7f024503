"""Every expression of every dashboard finds something in a system that is used; and what draws them draws what is there."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.dashboards.boards import Asked, Board, boards, expressions, filled, panels
from tests.dashboards.draw import WIDTH, draw
from tests.dashboards.kinds import KINDS
from tests.dashboards.source import Series, Source
from tests.dashboards.words import said
from tests.dashboards.world import World, loaded
from tests.support.monitoring import needs_prometheus

# What may find nothing, by dashboard and panel, and why.
NOTHING_BY_NATURE = {
    "Service / Connections ended early": "no connection had to make way for another",
    "Service / Decoders replaced": "no decoder had to be replaced",
    "Service / Lines of the log left out": "no line was left out",
    "Store / Certificate": "the code store is reached over a socket, where nobody shows a certificate",
    "Store / Certificate expires in": "the code store is reached over a socket, where nobody shows a certificate",
    "Pipelines / Pending": "no run had to wait for as long as a scrape takes",
    "Retrieval quality / Publishes": "nothing was published within the last minute",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with loaded(tmp_path_factory.mktemp("world"), 30.0, lambda _: None) as found:
        yield found


@needs_prometheus
@pytest.mark.system
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("board", boards(), ids=lambda board: board["title"])
def test_every_expression_finds_something_and_is_drawn(world: World, board: Board) -> None:
    source, variables = world.source(), world.variables()
    empty = [asked.where for asked in expressions(board, variables) if not _found(source, asked)]
    assert not [where for where in empty if where.rsplit(" / ", 1)[0] not in NOTHING_BY_NATURE], empty
    picture = draw(board, source, variables)
    assert picture.width == WIDTH


def _found(source: Source, asked: Asked) -> bool:
    return any(np.isfinite(one.values).any() for one in source.over_time(asked.expr))


def test_what_may_find_nothing_is_there() -> None:
    known = {asked.where.rsplit(" / ", 1)[0] for board in boards() for asked in expressions(board)}
    assert NOTHING_BY_NATURE.keys() <= known | {"Retrieval quality / Publishes"}


# -- the renderer -----------------------------------------------------------------------------------------


class Made(Source):
    """Waves in place of a Prometheus, with all labels that anybody asks for."""

    def over_time(self, expr: str) -> list[Series]:
        times = np.arange(self.begin, self.end, self.step)
        count = 0 if "nothing" in expr else 2
        return [
            Series(_labels(number), times, np.sin(times / 60 + number) ** 2 * 40) for number in range(count)
        ]

    def now(self, expr: str) -> list[Series]:
        return [Series(one.labels, one.times[-1:], one.values[-1:]) for one in self.over_time(expr)]


def _labels(number: int) -> dict[str, str]:
    names = ("band", "node", "level", "bit", "generation", "metric", "pipeline", "verdict", "instance")
    return dict.fromkeys(names, str(number)) | {"le": str(number)}


MADE = Made("", 0.0, 600.0, 10.0)


@pytest.fixture(scope="module")
def of_each_kind() -> dict[str, Board]:
    """For each kind of panel a dashboard that has one such."""
    found: dict[str, Board] = {}
    for board in boards():
        for panel in panels(board):
            at = {"x": 0, "y": 0, "w": 12, "h": 8}
            found.setdefault(panel["type"], board | {"panels": [panel | {"gridPos": at}], "annotations": {}})
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_panel_is_drawn(of_each_kind: dict[str, Board], kind: str) -> None:
    board = of_each_kind[kind]
    drawn = np.asarray(draw(board, MADE, _Any()).convert("RGB")).astype(int)
    for target in board["panels"][0]["targets"]:
        target["expr"] = "nothing"
    without = np.asarray(draw(board, MADE, _Any()).convert("RGB")).astype(int)
    assert (np.abs(drawn - without).sum(axis=2) > 60).sum() > 300, "values show"


class _Any(dict[str, str]):
    """A value for every variable."""

    def __missing__(self, name: str) -> str:
        return "any"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "s", "0 s"),
        (0.0034, "s", "3.4 ms"),
        (90.0, "s", "1.5 min"),
        (-7200.0, "s", "-2 h"),
        (3 * 86400.0, "s", "3 d"),
        (3 * 2**20, "bytes", "3 MiB"),
        (0.123, "percentunit", "12.3 %"),
        (12_345.0, "short", "12.3 k"),
        (1.5, "reqps", "1.5 req/s"),
        (float("inf"), "s", "∞"),
        (float("nan"), "none", "–"),
    ],
)
def test_values_are_said_with_their_unit(value: float, unit: str, text: str) -> None:
    assert said(value, unit) == text


def test_variables_get_their_values() -> None:
    chosen = {"window": "30s", "namespace": ".*"}
    assert (
        filled('f(x{namespace=~"$namespace"}[$window], "0$1")', chosen) == 'f(x{namespace=~".*"}[30s], "0$1")'
    )
