"""The benchmark of the replica on few items: what it prints, never how fast."""

import json

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.speed import replica

app = typer.Typer()
app.command()(replica.main)


@pytest.mark.slow
def test_json_has_what_was_asked_and_found() -> None:
    done = CliRunner().invoke(app, ["--items", "1600,3200", "--rounds", "2"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [run["items"] for run in found["runs"]] == [1600, 3200]
    for run in found["runs"]:
        assert run["bytes_per_item_in_all"] > 8 + 17
        for what in ("load", "search", "search_filtered", "apply_1000", "search_during_applies_of_100"):
            assert run[what]["median_ms"] >= run[what]["min_ms"] > 0
