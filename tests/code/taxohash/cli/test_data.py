"""`taxohash data`, as a user types it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from taxohash.datasets import Dataset
from taxohash.datasets.identity import listing
from taxohash.datasets.writer import write_dataset
from tests.code.taxohash.datasets.named.test_image_tree import grow, picture
from tests.support import command
from tests.support.tiny import TAXONOMY, tiny_rows


def data(*arguments: object, code: int = 0) -> command.Done:
    done = command.run("taxohash.cli", "data", *arguments)
    assert done.returncode == code, done.stderr
    return done


def test_prepare_folder_tells_what_it_took(tmp_path: Path) -> None:
    files = {f"{top}/{own}.png": picture(ord(own)) for top in ("test", "[b]cat") for own in "xyz"}
    grow(tmp_path / "tree", files | {"test/notes.txt": b"", "test/w.tif": picture(1, "TIFF")})
    source = ("--source", tmp_path / "tree", "--splits", "hash", "--test-share", "0")
    refused = data("prepare", "folder", tmp_path / "out", *source, code=2)
    assert "w.tif cannot be used (TIFF" in refused.stderr
    told = data("prepare", "folder", tmp_path / "out", *source, "--skip-unusable").stdout.splitlines()
    assert told[:-1] == [
        "split by the hash of an image's bytes, 0 of them into test",
        "train: 6 images of 2 labels (6 PNG)",
        "left out: 1 no picture (.txt): test/notes.txt",
        "left out: 1 unusable: test/w.tif (TIFF, not PNG, JPEG, WEBP, GIF, BMP)",
    ]
    assert told[-1].startswith(f"{tmp_path / 'out'}: tree, 2 labels, 6 train, md5 ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--test-share", "1"), "test_share = 1.0: give a number of at least 0 and below 1"),
        (("--test-share", "nan"), "test_share = NaN: give a number"),
        (("--splits", "none"), 'splits = "none": give one of auto, folders, hash'),
    ],
)
def test_options_of_a_tree_are_checked(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    assert said in data("prepare", "folder", tmp_path / "out", "--source", tmp_path, *options, code=2).stderr
    named = data("prepare", "cifar100", tmp_path / "out", *options, code=2).stderr
    option = options[0].removeprefix("--").replace("-", "_")
    assert f"{option} is for an image tree ('folder'): leave it out for cifar100" in named


def test_diff_tells_what_changed(tiny: Path, tmp_path: Path) -> None:
    paths = (("animal", "cat"), ("animal", "[b]dog\n"), ("plant", "tree", "oak"))
    rows = {split: tiny_rows(split) for split in ("train", "test")}
    rows["train"] = [*rows["train"][2:], rows["test"].pop(), rows["train"][0]._replace(label=2)]
    write_dataset(tmp_path / "new", replace(TAXONOMY, paths=paths), rows.items())
    told = data("diff", tiny, tmp_path / "new", "--sheets", tmp_path / "sheets").stdout.splitlines()
    bytes_ = {file.name: file.stat().st_size for file in (tmp_path / "new").iterdir()}
    new = sum(bytes_.values()) + len(listing(dict.fromkeys(bytes_, "0" * 32)))
    assert [line.partition(", md5")[0] for line in told] == [
        f"before: {tiny}, tiny",
        f"after: {tmp_path / 'new'}, tiny",
        f"cost: {new:,} of {new:,} bytes to store and to move, 4 of 4 files that were not there before",
        "train: 30 images",
        "test: 6 images, then 5",
        "labels added: 1: animal/[b]dog\\n",
        "labels removed: 1: animal/dog",
        "removed: 1 images: animal/dog 1",
        "relabelled: 12 images: animal/dog -> animal/[b]dog\\n 11, animal/cat -> plant/tree/oak 1",
        "in another split: 1 images: plant/tree/oak 1",
        f"2 contact sheets in {tmp_path / 'sheets'}",
    ]
    found = json.loads(data("diff", tiny, tmp_path / "new", "--json").stdout)
    assert found["before"]["md5"] == Dataset.open(tiny).md5()
    assert found["images"] == {"train": [30, 30], "test": [6, 5]}
    assert len(found["changed"]) == 13
    assert found["cost"] == {"files": 4, "bytes": new, "new_files": 4, "new_bytes": new}
    same = data("diff", tiny, tiny).stdout.splitlines()
    assert same[-1] == "the same images and labels"
    assert same[2] == "cost: nothing to store or to move, every file was there before"
    assert "'v0' is neither a folder nor a git revision" in data("diff", "v0", tiny, code=2).stderr
