"""`taxohash data`, as a user types it."""

from pathlib import Path

import pytest

from tests.code.taxohash.datasets.named.test_image_tree import grow, picture
from tests.support import command


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
    assert f"{options[0]} is for `taxohash data prepare folder`: leave it out for cifar100" in named
