"""`taxohash pipeline prune`: a plan for people and for scripts, and what came of it."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.retention import prune as module
from pipelines.retention.prune import Pruning
from services.codestore.connection import StoreUnavailableError
from services.runs import Verdict
from tests.support.nights import DAY, Nights, nights


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Nights]:
    """Four nights, which the command finds as its clock has them."""
    with nights(monkeypatch, tmp_path) as made:
        for _ in range(4):
            made.night(Verdict.PUBLISHED)
        made.clock.now += 8 * DAY

        def pruning(folder: Path, **asked: object) -> Pruning:
            return Pruning(folder, store=lambda: nullcontext(made.store), clock=made.clock, **asked)  # type: ignore[arg-type]

        monkeypatch.setattr(module, "Pruning", pruning)
        yield made


def test_the_plan_comes_first_and_apply_does_it(home: Nights, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["prune", "--home", str(home.home), "--keep", "1"]
    assert main(words) == 0
    planned = capsys.readouterr().out
    assert "generations for services" in planned
    assert "published in 'nights'" in planned
    assert planned.splitlines()[-1].endswith(" MB: nothing was done, give --apply to do it")
    assert len(home.files.all()) == 4
    assert main([*words, "--apply"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("removed ")
    assert len(home.files.all()) == 2


def test_the_same_for_scripts(
    home: Nights, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest, newest = (home.made[run] for run in (min(home.made), max(home.made)))
    monkeypatch.setenv("TAXOHASH_PIN", oldest)
    assert main(["prune", "--home", str(home.home), "--keep", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["removed"] == told["spared"] == told["trouble"] == []
    served = {own["name"]: own for own in told["things"] if own["kind"] == "generations for services"}
    assert served[newest]["kept"][0] == "published in 'nights'"
    assert served[oldest]["kept"] == ["pinned"]
    assert served[newest]["bytes"] == sum(found.bytes for found in home.files.all() if found.id == newest)
    assert [name for name, own in served.items() if not own["kept"]] == [home.made[sorted(home.made)[1]]]


def test_what_could_not_be_asked_or_removed_ends_in_1(
    home: Nights, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError("nobody there")

    monkeypatch.setattr(module, "collections", away)
    assert main(["prune", "--home", str(home.home), "--keep", "1", "--apply"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "the code store does not say what it needs (nobody there): no generation is removed" in lines
    assert len(home.files.all()) == 4


def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for words, line in [
        (["--home", str(tmp_path / "none")], f"there is no folder {tmp_path}/none: give the --home of runs"),
        (
            ["--home", str(tmp_path), "--keep", "-1"],
            "--keep -1 would leave no run to look at: give 1 or more",
        ),
    ]:
        assert main(["prune", *words]) == 2
        assert capsys.readouterr().err == f"taxohash pipeline prune: {line}\n"
