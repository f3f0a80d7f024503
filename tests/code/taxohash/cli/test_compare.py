"""`taxohash compare`: two generations, a data set, canaries and pictures."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taxohash.datasets.writer import Row, write_dataset
from taxohash.generation.canaries import Canaries
from taxohash.generation.hasher import CODES
from taxohash.generation.manifest import Generation
from tests.support import command
from tests.support.generations import TAXONOMY, pictures
from tests.support.shadows import PICTURES, generation, labels_of

ITEMS = [*PICTURES]
FOLDERS = ("before", "after", "damaged", "nowhere", "data", "asked", "empty")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generations `before` and `after`, the latter with canaries, the data of both, and pictures."""
    root = tmp_path_factory.mktemp("compare")
    generation(root / "a", 0, ITEMS[:50]).folder.rename(root / "before")
    after = generation(root / "b", 1, ITEMS[8:])
    Canaries(tuple(pictures(3, 5)), ((0,), (1,), (2,))).save(after.folder)
    sealed = replace(Generation.load(after.folder), files={}).write(after.folder)
    after.folder.rename(root / "after")
    assert sealed.id in (root / "after" / "generation.json").read_text()
    splits = [("train", ITEMS[:40]), ("test", ITEMS[40:])]
    rows = {split: [Row(PICTURES[item], item, labels_of(item)) for item in items] for split, items in splits}
    write_dataset(root / "data", TAXONOMY, rows.items())
    shutil.copytree(root / "after", root / "damaged")
    np.save(root / "damaged" / CODES, np.zeros((52, 3), np.uint8))
    (root / "empty").mkdir()
    (root / "asked").mkdir()
    for number, picture in enumerate(pictures(2, 6)):
        (root / "asked" / f"{number} ü.png").write_bytes(picture)
    (root / "asked" / "sampled").write_bytes(pictures(1, 7)[0] + b'\n{"when": 1}')  # as a service keeps it
    (root / "asked" / "notes.txt").write_text("no picture")
    return root


def test_all_that_can_ask_asks_and_the_page_is_where_it_says(home: Path, tmp_path: Path) -> None:
    words = [home / "before", home / "after", "--data", home / "data", "--pictures", home / "asked"]
    done = command.run("taxohash.cli", "compare", *words, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Of the first 10 answers to a query of test, ")
    assert lines[-1] == str(tmp_path / "out" / "comparison.html")
    told = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [(own["name"], own["asked"]) for own in told["sets"]] == [
        ("test", 20),
        ("canary", 3),
        ("pictures", 3),
    ]
    assert lines[0] == told["said"]
    page = Path(lines[-1]).read_text()
    assert "0 ü.png" in page
    assert page.count("data:image/webp") > 100


def test_programs_get_one_line(home: Path, tmp_path: Path) -> None:
    words = [home / "before", home / "after", "--ranking", "hamming", "--json", "--out", tmp_path]
    done = command.run("taxohash.cli", "compare", *words)
    told = json.loads(done.stdout)
    assert (told["ranking"], [own["name"] for own in told["sets"]]) == ("hamming", ["canary"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("after", "before"), "there is nothing to ask with: give --data with --queries"),
        (
            ("before", "after", "--queries", "test"),
            "--queries test names splits of a data set: give --data too",
        ),
        (("before", "after", "--data", "data", "--queries", "absent"), "has no split 'absent'"),
        (("before", "after", "--data", "asked"), "taxonomy"),
        (("before", "after", "--pictures", "empty"), "empty has no pictures (.jpeg, .jpg, .png, .webp)"),
        (("before", "after", "--pictures", "nowhere"), "nowhere is no folder: give one with pictures"),
        (("before", "nowhere"), "nowhere has no readable generation.json"),
        (("before", "damaged"), "codes.npy has sha256"),
        (("before", "after", "--ranking", "colour"), "'colour' is not one of"),
    ],
)
def test_what_can_be_put_right_is_one_line(
    home: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    given = [home / word if word in FOLDERS else word for word in words]
    done = command.run("taxohash.cli", "compare", *given, "--out", tmp_path / "out")
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert said in line
    assert not [*tmp_path.glob("out/*")]


def test_a_data_set_is_not_written_into_nor_a_folder_made_for_nothing(home: Path, tmp_path: Path) -> None:
    words = [home / "before", home / "after", "--data", home / "data", "--out"]
    done = command.run("taxohash.cli", "compare", *words, home / "data" / "sub")
    assert done.returncode == 2
    assert "lies inside the data set" in done.stderr
    assert sorted(file.suffix for file in (home / "data").iterdir()) == [".json", ".parquet", ".parquet"]
    words = [home / "before", home / "nowhere", "--out", tmp_path / "out"]
    assert command.run("taxohash.cli", "compare", *words).returncode == 2
    assert not (tmp_path / "out").exists()
