"""Dashboards: what is committed is what the code makes, each panel can be read, and they show what is catalogued and nothing else."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.dashboards.__main__ import OUT, dashboards, file_of, text_of
from services.dashboards.parts import COLUMNS, UIDS
from services.metrics import CATALOGUE, Dashboard, Metric
from tests.dashboards.boards import Asked, Board, boards, expressions, panels
from tests.dashboards.kinds import COLORS, KINDS
from tests.dashboards.words import UNITS
from tests.support.monitoring import PROGRAMS, needs_prometheus

BOARDS = boards()
OF_SAMPLE = {sample: metric for metric in CATALOGUE.values() for sample in metric.samples}
# Of the catalogue beside what scrapes give.
SCRAPED = {"job", "namespace", "collection", "pod", "instance", "le"}
NAME = re.compile(r"\b(?:taxohash|process)_\w+")
SELECTED = re.compile(r"\b((?:taxohash|process)_\w+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|=|!=|!~)"([^"]*)"')


@pytest.fixture(params=BOARDS, ids=lambda board: board["title"])
def board(request: pytest.FixtureRequest) -> Board:
    found: Board = request.param
    return found


def every_expression() -> Iterator[tuple[Board, Asked]]:
    for one in BOARDS:
        for asked in expressions(one):
            yield one, asked


def test_what_is_committed_is_what_the_code_makes() -> None:
    made = {file_of(dashboard): text_of(dashboard) for dashboard in dashboards()}
    assert {file.name: file.read_text() for file in OUT.glob("*.json")} == made, (
        "python -m services.dashboards"
    )


def test_there_is_one_for_each_of_the_catalogue() -> None:
    assert {board["title"]: board["uid"] for board in BOARDS} == {
        str(title): uid for title, uid in UIDS.items()
    }
    assert {*UIDS} == {*Dashboard}


def test_every_panel_is_described_and_has_a_unit(board: Board) -> None:
    for panel in panels(board):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["targets"]
        assert panel["type"] in KINDS
        for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
            assert step["color"] in COLORS
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_panels_fill_the_grid_and_lie_on_no_other(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    for at in (panel["gridPos"] for panel in board["panels"]):
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in own) < COLUMNS
        assert not own & taken
        taken |= own
    assert len(taken) == COLUMNS * (1 + max(y for _, y in taken)), "a row is not full"


def test_what_can_be_chosen_is_used(board: Board) -> None:
    variables = [variable["name"] for variable in board["templating"]["list"]]
    assert variables[:3] == ["datasource", "namespace", "collection"]
    used = set(re.findall(r"\$([a-z_]\w*)", "".join(found["expr"] for found in _targets(board))))
    assert used - {"__rate_interval", "__range"} == {*variables} - {"datasource"}
    for panel in panels(board):
        assert panel["datasource"]["uid"] == "$datasource"
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            assert variable["allValue"] == ".*", "series without the label are shown too"


def _targets(board: Board) -> Iterator[dict[str, Any]]:
    for panel in panels(board):
        yield from panel["targets"]


def test_publishes_are_marked_on_retrieval_quality() -> None:
    marked = {board["title"] for board in BOARDS if board["annotations"].get("list")}
    assert marked == {Dashboard.QUALITY}


# -- the catalogue ----------------------------------------------------------------------------------------


def test_what_is_catalogued_is_where_the_catalogue_says() -> None:
    shown = {board["title"]: _metrics(board) for board in BOARDS}
    missing = [metric.name for metric in CATALOGUE.values() if metric not in shown[metric.seen]]
    assert not missing


def test_what_is_shown_is_catalogued() -> None:
    for _, asked in every_expression():
        assert {*NAME.findall(asked.expr)} <= OF_SAMPLE.keys(), asked.where
    for board in BOARDS:
        for variable in board["templating"]["list"]:
            assert {*NAME.findall(variable["query"])} <= OF_SAMPLE.keys()


def _metrics(board: Board) -> list[Metric]:
    return [OF_SAMPLE[name] for asked in expressions(board) for name in NAME.findall(asked.expr)]


def test_labels_are_those_of_the_metric() -> None:
    for _, asked in every_expression():
        for name, matchers in SELECTED.findall(asked.expr):
            known = {label.name: label for label in OF_SAMPLE[name].labels}
            for label, sign, value in MATCHER.findall(matchers):
                assert label in SCRAPED | known.keys(), asked.where
                if label in known and known[label].values and sign in ("=", "!="):
                    assert value in known[label].values, asked.where


def test_every_metric_is_of_what_was_chosen() -> None:
    for board in BOARDS:
        for target in _targets(board):
            for name in NAME.findall(target["expr"]):
                assert (
                    f'{name}{{namespace=~"$namespace"' in target["expr"] or f'{name}{{job="' in target["expr"]
                )


def test_legends_name_labels_that_are_kept() -> None:
    for board in BOARDS:
        for target in _targets(board):
            for label in re.findall(r"{{(\w+)}}", target.get("legendFormat", "")):
                kept = re.findall(r"\b(?:by|on) \(([^)]*)\)", target["expr"])
                assert not kept or label in ", ".join(kept).replace(",", " ").split(), target


def test_histograms_survive_conversion_to_native_ones() -> None:
    for _, asked in every_expression():
        assert not re.search(r"\ble\s*(=|!)", asked.expr), asked.where


@needs_prometheus
def test_prometheus_takes_every_expression(tmp_path: Path) -> None:
    rules = [
        {"record": f"shown:number:{number}", "expr": asked.expr}
        for number, (_, asked) in enumerate(every_expression())
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "shown", "rules": rules}]}))
    command = [str(PROGRAMS / "promtool"), "check", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
