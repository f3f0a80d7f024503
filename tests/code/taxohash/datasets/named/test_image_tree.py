import io
from pathlib import Path

import pytest
from PIL import Image

from taxohash.datasets import Dataset
from taxohash.datasets.named import prepare
from taxohash.errors import TaxohashError


def picture(colour: int, form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (6, 4), (colour, 255 - colour, colour // 2)).save(stream, form)
    return stream.getvalue()


def grow(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {f"animal/dog/terrier/{n}.png": picture(n) for n in range(40)}
    files |= {f"plant/{n}.JPG": picture(100 + n, "JPEG") for n in range(40)}
    return grow(tmp_path / "tree", files | {"animal/readme.txt": b"not an image"})


def contents(dataset: Dataset) -> dict[str, tuple[str, int, bytes]]:
    """Of every image by its name: split, label, bytes."""
    return {
        name: (split, label, data)
        for split in dataset.splits
        for name, label, data in zip(
            dataset.names(split), dataset.labels(split).tolist(), dataset.images(split), strict=True
        )
    }


def test_directories_are_the_taxonomy_and_bytes_are_kept(tree: Path, tmp_path: Path) -> None:
    dataset = prepare("folder", tmp_path / "out", str(tree))
    assert dataset.taxonomy.name == "tree"
    assert dataset.taxonomy.paths == (("animal", "dog", "terrier"), ("plant",))
    images = contents(dataset)
    assert len(images) == 80
    for name, (_, label, data) in images.items():
        assert data == (tree / name).read_bytes()
        assert label == name.startswith("plant")
    assert 4 <= dataset.count("test") <= 30


def test_adding_images_moves_none_and_copies_stay_together(tree: Path, tmp_path: Path) -> None:
    before = contents(prepare("folder", tmp_path / "before", str(tree)))
    grow(tree, {f"fungus/{n}.png": picture(n) for n in range(40)})  # copies of the terriers
    after = contents(prepare("folder", tmp_path / "after", str(tree)))
    assert {name: after[name][0] for name in before} == {name: before[name][0] for name in before}
    for n in range(40):
        assert after[f"fungus/{n}.png"][0] == before[f"animal/dog/terrier/{n}.png"][0]


def test_the_same_tree_gives_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    first = prepare("folder", tmp_path / "1", str(tree)).md5()
    assert prepare("folder", tmp_path / "2", str(tree)).md5() == first


def test_given_splits_are_kept(tmp_path: Path) -> None:
    files = {"train/a/x/1.png": picture(1), "train/b/2.png": picture(2), "test/a/x/3.png": picture(3)}
    dataset = prepare("folder", tmp_path / "out", str(grow(tmp_path / "split", files)))
    assert dataset.taxonomy.paths == (("a", "x"), ("b",))
    assert dataset.names("train") == ["train/a/x/1.png", "train/b/2.png"]
    assert dataset.names("test") == ["test/a/x/3.png"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"notes.txt": b""}, "holds no images"),
        ({"a/1.png": picture(1), "2.png": picture(2)}, "lies in no directory"),
        ({"train/1.png": picture(1)}, "lies in no directory"),
        ({"a/1.png": b"broken"}, r"1\.png: image"),
        ({"a/1.png": picture(1), "a/b/2.png": picture(2)}, "both as a label and as a parent"),
        ({"a/1.png": picture(1)}, "has no rows"),
    ],
)
def test_trees_that_do_not_do(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(TaxohashError, match=message):
        prepare("folder", tmp_path / "out", str(grow(tmp_path / "tree", files)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("source", [None, "/nowhere"])
def test_a_source_is_needed(tmp_path: Path, source: str | None) -> None:
    with pytest.raises(TaxohashError, match="folder"):
        prepare("folder", tmp_path / "out", source)
