"""The benchmark of the code store, tiny: what it measures and says, never how fast."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from benchmarks.common.rows import Row, matching
from benchmarks.common.servers import installed
from benchmarks.speed.codestore import footprint, publishing, run
from benchmarks.speed.codestore.data import TAXONOMY, Data
from benchmarks.speed.codestore.report import as_markdown
from services.codestore.follower.replica import Replica
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import console

app = typer.Typer()
app.command()(run.main)
TINY = [
    "--items",
    "1500",
    "--held",
    "3000",
    "--some",
    "1100",
    "--seconds",
    "0.2",
    "--followers",
    "2",
    "--rounds",
    "1",
]


@pytest.fixture(autouse=True)
def loud() -> object:
    yield
    console.quiet = False


@pytest.fixture(name="rows", scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    folder = tmp_path_factory.mktemp("results")
    done = CliRunner().invoke(app, [*TINY, "--results", str(folder)])
    assert done.exit_code == 0, done.output
    rows: list[Row] = json.loads((folder / "codestore.json").read_text())
    assert "\n".join(as_markdown(rows)) + "\n" == (folder / "codestore.md").read_text()
    return rows


@pytest.mark.slow
def test_everything_is_measured(rows: list[Row]) -> None:
    assert {row["measure"] for row in rows} == {
        "load", "ingest", "server memory", "process memory", "visible", "publish", "gc", "turnover", "vector sets",
    }  # fmt: skip
    assert [row["server"] for row in matching(rows, measure="server memory")] == list(installed())


@pytest.mark.slow
def test_nothing_fails_and_nothing_is_mixed_while_another_generation_is_published(rows: list[Row]) -> None:
    (row,) = matching(rows, measure="publish")
    assert (row["failed"], row["mixed"]) == (0, 0)
    assert row["searches"] > 10 * row["followers"]


@pytest.mark.slow
def test_every_write_was_seen_after_it_was_sent(rows: list[Row]) -> None:
    (row,) = matching(rows, measure="visible")
    assert row["writes"] == 200
    assert 0 < row["min_ms"] <= row["median_ms"] <= row["p99_ms"] <= row["max_ms"]


@pytest.mark.slow
def test_gc_removes_what_it_is_timed_for(rows: list[Row]) -> None:
    (row,) = matching(rows, measure="gc")
    assert row["removed"] == 550
    assert {"drop", "sweep", "fold", "compact"} <= row["longest_of"].keys()


@pytest.mark.slow
def test_what_is_not_measured_again_stays(rows: list[Row], tmp_path: Path) -> None:
    (tmp_path / "codestore.json").write_text(json.dumps(rows))
    done = CliRunner().invoke(app, [*TINY, "--only", "visible", "--results", str(tmp_path)])
    assert done.exit_code == 0, done.output
    again: list[Row] = json.loads((tmp_path / "codestore.json").read_text())
    assert matching(again, measure="load") == matching(rows, measure="load")
    assert matching(again, measure="visible") != matching(rows, measure="visible")


def test_an_unknown_measure_is_one_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--only", "colour", "--results", str(tmp_path)])
    assert isinstance(done.exception, TaxohashError)
    assert "'colour' is not known here" in str(done.exception)


def test_an_answer_of_two_generations_is_noticed() -> None:
    first, second = Data(50, seed=0).codes, Data(50, seed=1).codes
    distances = np.bitwise_count(first ^ first[7]).sum(axis=1).astype(np.int32)
    found = np.argsort(distances, kind="stable")[:10]
    assert publishing._agrees(first, 7, found.tolist(), distances[found])
    assert not publishing._agrees(second, 7, found.tolist(), distances[found])


@pytest.mark.parametrize("items", [1, 1007, 5000])
def test_pages_hold_every_item_once(items: int) -> None:
    replica = Replica(64, footprint.SEGMENTS, TAXONOMY)
    replica.load(footprint.pages(items))
    assert len(replica) == items
    ids = [f"{number:016d}" for number in range(items)]
    assert replica.searchable(ids).all()
