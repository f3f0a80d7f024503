"""The step that compares: what asks, and what a run remembers of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines.shared.record import Record
from pipelines.steps import shadow
from services.codestore.sampled import Facts, SampledQueries, SampledQuery
from taxohash.datasets.writer import Row, write_dataset
from taxohash.runtime.atomic import read_json
from tests.support.generations import TAXONOMY, pictures
from tests.support.shadows import PICTURES, generation, labels_of

ITEMS = [*PICTURES]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data and two generations below `generations`, with an empty store of pictures."""
    monkeypatch.setenv("TAXOHASH_PICTURES", str(tmp_path / "pictures"))
    (tmp_path / "pictures").mkdir()
    splits: list[tuple[str, Sequence[str]]] = [
        ("train", ITEMS[:40]),
        ("test", ITEMS[40:50]),
        ("canary", ITEMS[50:]),
    ]
    rows = {split: [Row(PICTURES[item], item, labels_of(item)) for item in items] for split, items in splits}
    write_dataset(tmp_path / "data", TAXONOMY, rows.items())
    return tmp_path


def compare(home: Path, champion: str, made: str) -> dict[str, Any]:
    """What the run remembers."""
    shadow.compare(
        champion, made, str(home / "data"), "birds", str(home / "generations"), str(home), "run-1",
        str(home / "out"), "s3://there/out", str(home / "page.html"),
    )  # fmt: skip
    return Record(home, "run-1").noted("comparison")


def test_queries_canaries_and_what_was_really_asked_ask(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = (generation(home / "generations", seed, ITEMS[:50]).folder.name for seed in (0, 1))
    sampled = SampledQueries.from_environment("birds")
    for when, picture in enumerate([*pictures(3, 8), b"no picture"]):
        facts = Facts(when=when, share=1.0, generation=old, bits=20, code="00000", pixels="0" * 16, nearest=2)
        sampled.keep(SampledQuery(picture, facts))
    noted = compare(home, old, new)
    told = read_json(home / "out" / "comparison.json", "")
    asked = {own["name"]: (own["asked"], own["left_out"]) for own in told["sets"]}
    assert asked == {"test": (10, 0), "canary": (10, 0), "sampled": (3, 1)}
    assert noted == {"would_change": told["said"], "page": "s3://there/out/comparison.html"}
    assert (home / "page.html").read_bytes() == (home / "out" / "comparison.html").read_bytes()
    text = (home / "page.html").read_text()
    differ = [one["name"] for own in told["sets"] if own["name"] == "sampled" for one in own["picked"]]
    assert {*differ} <= {one.name for one in sampled.kept()}
    assert text.count("not kept here") == len(differ) == 3  # its picture goes when it has to
    assert told["said"] in " ".join(capsys.readouterr().err.split())


def test_where_nothing_was_sampled_that_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = (generation(home / "generations", seed, ITEMS[:50]).folder.name for seed in (0, 1))
    compare(home, old, new)
    told = read_json(home / "out" / "comparison.json", "")
    (note,) = (note for note in told["notes"] if "real queries" in note)
    assert note == f"No real queries were asked: none are kept in {home / 'pictures'}/sampled/birds."
    assert note.split(":")[0] in " ".join(capsys.readouterr().err.split())


def test_a_store_of_pictures_that_does_not_answer_fails_no_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (generation(home / "generations", seed, ITEMS[:50]).folder.name for seed in (0, 1))
    monkeypatch.setenv("TAXOHASH_PICTURES", "ftp://nowhere")
    compare(home, old, new)
    told = read_json(home / "out" / "comparison.json", "")
    assert any("the store of pictures does not tell what was sampled (" in note for note in told["notes"])


def test_without_a_champion_there_is_nothing_to_compare_with(home: Path) -> None:
    assert compare(home, "", "new") == {"would_change": "", "page": ""}
    assert not [*(home / "out").iterdir()]
    assert "nothing is published" in (home / "page.html").read_text()
