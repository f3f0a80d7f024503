"""Items of a folder, and what tells one from another."""

from pathlib import Path

import pytest

from taxohash.client import Upload, of_folder
from taxohash.errors import TaxohashError


def test_a_folder_gives_its_pictures_in_order(tmp_path: Path) -> None:
    for name in (
        "b/two.PNG",
        "b/c/three.webp",
        "one.jpg",
        ".hidden/x.png",
        "b/.y.png",
        "notes.txt",
        "z.png/in.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    found = list(of_folder(tmp_path, "p/", ["t"], folders_are_labels=True))
    assert [(item.id, item.labels) for item in found] == [
        ("p/b/c/three.webp", ("b/c",)), ("p/b/two.PNG", ("b",)), ("p/one.jpg", ()), ("p/z.png/in.png", ("z.png",)),
    ]  # fmt: skip
    assert found[0].load().picture == b"b/c/three.webp"
    assert {tuple(item.tags) for item in found} == {("t",)}


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(TaxohashError, match=str(folder)):
            list(of_folder(folder))


def test_an_item_differs_by_all_that_is_sent_of_it() -> None:
    items = [
        Upload("a", b"p"), Upload("a", b"q"), Upload("a", b"p", labels=["l"]), Upload("a", b"p", tags=["l"]),
        Upload("a", code="ff", generation="g"), Upload("a", code="ff", generation="h"),
    ]  # fmt: skip
    assert len({item.load().digest for item in items}) == len(items)
    assert Upload("a", b"p", labels=("l",)).load().digest == items[2].load().digest
