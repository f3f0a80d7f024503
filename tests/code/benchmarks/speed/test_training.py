"""The training benchmark on a tiny network: what it prints, never how fast."""

import json

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.speed import training
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import console

app = typer.Typer()
app.command()(training.main)
TINY = ["--network", "small-resnet", "--size", "16", "--channels", "1", "--batch", "4", "--steps", "2"]


@pytest.fixture(autouse=True)
def loud() -> object:
    yield
    console.quiet = False


def test_json_has_what_was_asked_and_found() -> None:
    done = CliRunner().invoke(app, [*TINY, "--rounds", "2", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {"batch": 4, "steps": 2, "rounds": 2, "size": 16}.items() <= found.items()
    assert {"device", "torch", "commit", "command", "augment", "precision"} <= found.keys()
    for speeds in found["images_per_second"].values():
        assert speeds["max"] >= speeds["median"] > 0
    assert set(found["images_per_second"]) == {"fit", "bare"}
    speed = {what: values["median"] for what, values in found["images_per_second"].items()}
    assert found["ratio"]["median"] == pytest.approx(speed["fit"] / speed["bare"], rel=0.05)


def test_a_bad_option_is_one_line() -> None:
    done = CliRunner().invoke(app, [*TINY, "--precision", "int8"])
    assert isinstance(done.exception, TaxohashError)
    assert 'precision = "int8": give one of auto, float32, bfloat16' in str(done.exception)
