import io
import os
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from taxohash.datasets import Dataset, writer
from taxohash.datasets.named import image_tree, prepare
from taxohash.datasets.named.tree_splits import by_hash
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


def take(folder: Path, files: dict[str, bytes], **options: Any) -> image_tree.Taken:
    """Prepare a tree of these files, and of what lies in it already, as `out` beside it."""
    source = grow(folder / "tree", files)
    return image_tree.prepare(folder / "out", str(source), image_tree.TreeOptions(**options))


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
            dataset.paths(split), dataset.labels(split).tolist(), dataset.images(split), strict=True
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
    assert dataset.paths("train") == ["train/a/x/1.png", "train/b/2.png"]
    assert dataset.paths("test") == ["test/a/x/3.png"]


def test_other_spellings_of_splits_are_those_splits(tmp_path: Path) -> None:
    files = {f"{top}/{own}/1.png": picture(len(top)) for top in ("Training", "valid", "TEST") for own in "ab"}
    taken = take(tmp_path, files)
    assert taken.rule == "split by the folders 'Training' as train, 'valid' as val, 'TEST' as test"
    assert Dataset.open(tmp_path / "out").splits == ("train", "val", "test")
    assert Dataset.open(tmp_path / "out").taxonomy.paths == (("a",), ("b",))


def test_splits_can_have_any_name_and_labels_that_of_a_split(tmp_path: Path) -> None:
    files = {f"{top}/{own}/1.png": picture(len(top)) for top in ("train", "test", "canary") for own in "ab"}
    assert take(tmp_path, files, splits="folders").splits[-1] == "canary: 2 images of 2 labels (2 PNG)"
    for folder in ("tree", "out"):
        (tmp_path / folder).rename(tmp_path / f"{folder} of splits")
    take(tmp_path, files, splits="hash", test_share=0)
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.taxonomy.class_paths(0) == [("canary",), ("test",), ("train",)]
    assert dataset.splits == ("train",)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), min_size=1), st.floats(0, 0.99))
def test_the_hash_decides_but_every_label_is_trained(found: list[tuple[str, int]], share: float) -> None:
    digests = {PurePath(label, str(n)): sha256(bytes([own])).digest() for n, (label, own) in enumerate(found)}
    labels = {path: path.parent for path in digests}
    splits = by_hash(digests, labels, share)
    assert sorted(path for own in splits.values() for path in own) == sorted(digests)
    assert {labels[path] for path in splits["train"]} == set(labels.values())
    tested = {digests[path] for path in splits.get("test", [])}
    assert tested.isdisjoint(digests[path] for path in splits["train"])
    hashed = {digest for digest in digests.values() if int.from_bytes(digest[:8], "big") / 2**64 < share}
    assert tested <= hashed
    assert len(hashed - tested) <= len(set(labels.values()))  # a label keeps one at most


def test_formats_are_known_by_content_and_what_is_no_picture_is_told(tmp_path: Path) -> None:
    files = {
        "a/1.jfif": picture(1, "JPEG"),
        "a/2": picture(2, "GIF"),
        "a/3.dat": picture(3, "WEBP"),
        "a/4.bin": picture(4, "BMP"),
        "a/5.txt": b"BM is a town",
        "a/Thumbs.db": b"x",
        "a/.6.png": picture(6),
        ".ipynb_checkpoints/7.png": picture(7),
        "__MACOSX/a/8.png": picture(8),
        "b/9.png": picture(9),
        "b/notes/10.txt": b"beside pictures, so no label's folder",
    }
    grow(tmp_path / "tree", files)
    (tmp_path / "tree" / "empty").mkdir()
    os.mkfifo(tmp_path / "tree" / "a" / "pipe.png")  # opened, it would wait for ever
    taken = take(tmp_path, {}, test_share=0)
    assert taken.splits == ("train: 5 images of 2 labels (1 JPEG, 1 GIF, 1 WEBP, 1 BMP, 1 PNG)",)
    assert taken.left_out == (
        "left out: 1 empty folder: empty",
        "left out: 2 hidden: .ipynb_checkpoints, a/.6.png",
        "left out: 2 left by a system: __MACOSX, a/Thumbs.db",
        "left out: 1 neither file nor folder: a/pipe.png",
        "left out: 2 no picture (.txt): a/5.txt, b/notes/10.txt",
    )


def test_links_to_folders_are_followed_but_never_in_circles(tmp_path: Path) -> None:
    root = grow(tmp_path / "tree", {"a/1.png": picture(1)})
    grow(tmp_path, {"elsewhere/2.png": picture(2)})
    (root / "b").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "up").symlink_to(root)
    (tmp_path / "elsewhere" / "self").symlink_to(tmp_path / "elsewhere")
    taken = take(tmp_path, {}, test_share=0)
    assert Dataset.open(tmp_path / "out").paths("train") == ["a/1.png", "b/2.png"]
    assert taken.left_out == ("left out: 2 link to a folder that it lies in: a/up, b/self",)


UNUSABLE = {
    "no picture in it": ({"c/1.png": b"broken"}, r"c/1\.png cannot be used \(none of PNG"),
    "empty": ({"c/1.jpeg": b""}, r"c/1\.jpeg cannot be used \(none of PNG"),
    "damaged": ({"c/1.png": picture(1)[:-30]}, r"c/1\.png cannot be used \(image of \d+ bytes cannot be decoded"),
    "another format": ({"c/1.tif": picture(1, "TIFF")}, r"c/1\.tif cannot be used \(TIFF, not PNG"),
    "drawn": ({"a/1.svg": b"<svg/>"}, r"a/1\.svg cannot be used"),
    "no picture at all": ({"c/d/1.xml": b"<x/>", "c/d/2.xml": b""}, r"tree/c cannot be used \(a folder without"),
    "long name": ({"/".join(["c" * 200] * 6) + "/1.png": picture(1)}, r"has 1211 bytes"),
    "not UTF-8": ({os.fsdecode(b"c/\xff.png"): picture(1)}, r"c/\\udcff\.png' has the lone surrogate"),
    "two": ({"c/1.png": b"", "c/2.png": b""}, "and 1 more like it"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_cannot_be_used_is_refused_or_left_out(tmp_path: Path, case: str) -> None:
    files, message = UNUSABLE[case]
    files = {"a/1.png": picture(1), "b/2.png": picture(2)} | files
    with pytest.raises(TaxohashError, match=message) as caught:
        take(tmp_path, files)
    assert "--skip-unusable" in str(caught.value)
    assert len(str(caught.value)) < 700
    assert not (tmp_path / "out").exists()
    taken = take(tmp_path, files, skip_unusable=True, test_share=0)
    assert Dataset.open(tmp_path / "out").taxonomy.paths == (("a",), ("b",))
    assert "unusable" in taken.left_out[-1] or "folders without images: c" in taken.left_out[-1]


def test_a_broken_link_and_a_folder_that_cannot_be_read_are_unusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = grow(tmp_path / "tree", {"a/1.png": picture(1), "b/2.png": picture(2), "c/3.png": picture(3)})
    (root / "b" / "2.jpg").symlink_to("nowhere")
    with pytest.raises(TaxohashError, match=r"b/2\.jpg cannot be used \(cannot be read \(No such file"):
        take(tmp_path, {})
    (root / "b" / "2.jpg").unlink()
    (root / "b" / "round").symlink_to("round")
    with pytest.raises(TaxohashError, match=r"b/round cannot be used \(cannot be read \(Too many levels"):
        take(tmp_path, {})
    (root / "b" / "round").unlink()
    scandir = os.scandir

    def refusing(folder: Path) -> Any:
        if folder.name == "c":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(TaxohashError, match=r"tree/c cannot be used \(cannot be read \(Permission denied"):
        take(tmp_path, {})


@pytest.mark.parametrize("name", ["line\nbreak", "tab\t", "\u2028", "\x85", "[bold]x"])
def test_names_of_any_utf8_are_kept(tmp_path: Path, name: str) -> None:
    take(tmp_path, {f"a {name}/{name}.png": picture(1), "b/2.png": picture(2)}, test_share=0)
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.paths("train")[0] == f"a {name}/{name}.png"
    assert dataset.taxonomy.paths[0] == (f"a {name}",)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a/1.png": picture(1)}, r"have one label, a: .*--as-is"),
        ({"a/1.png": picture(1), "A/2.png": picture(2)}, r"A and a of .* differ in case .*--as-is"),
        (
            {"é/1.png": picture(1), "e\u0301/2.png": picture(2)},
            r"differ in case or in how letters are encoded",
        ),
        (
            {"s/train/a/1.png": picture(1), "s/test/a/2.png": picture(2)},
            r"s/test, s/train of .* below the top",
        ),
        ({"s/dev/a/1.png": picture(1), "s/Train/a/2.png": picture(2)}, r"s/Train, s/dev of .* below the top"),
        (
            {"s/x_train/a/1.png": picture(1), "s/x_test/a/2.png": picture(2)},
            r"s/x_test, s/x_train of .* below",
        ),
    ],
)
def test_what_looks_like_an_accident_is_refused_or_taken(
    tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    with pytest.raises(TaxohashError, match=message):
        take(tmp_path, files)
    take(tmp_path, files, as_is=True, test_share=0)
    assert Dataset.open(tmp_path / "out").count("train") == len(files)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"notes.txt": b""}, r"holds no images .* left out: 1 no picture \(\.txt\): notes\.txt"),
        ({"a/1.png": picture(1), "2.png": picture(2)}, "1 image lies in no directory"),
        ({"train/1.png": picture(1)}, "1 image lies in no directory"),
        ({"a/1.png": picture(1), "a/b/2.png": picture(2)}, r"the first .*a/1\.png beside a/b: move"),
        ({"a/1.png": picture(1), "b/1.png": picture(1)}, "none of the 2 images of .* --test-share 0"),
        ({"train/a/1.png": picture(1), "bird/1.png": picture(2)}, "'train', which look like splits, beside 'bird'"),
        ({"test/a/1.png": picture(1), "dev/a/2.png": picture(2)}, "and no train"),
        ({"seg_train/a/1.png": picture(1), "seg_test/a/2.png": picture(2)}, "look like splits: name them train"),
        ({"Train2017/a/1.png": picture(1), "02 val/a/2.png": picture(2)}, "look like splits: name them train"),
        ({"train/a/1.png": picture(1), "Train/b/2.png": picture(2)}, "which are all train: join them"),
    ],
)  # fmt: skip
def test_trees_that_do_not_do(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(TaxohashError, match=message):
        take(tmp_path, files)
    assert not (tmp_path / "out").exists()


def test_words_that_only_sound_like_splits_are_labels(tmp_path: Path) -> None:
    files = {f"{label}/1.png": picture(len(label)) for label in ("train station", "test tube", "bird")}
    take(tmp_path, files, test_share=0)
    assert len(Dataset.open(tmp_path / "out").taxonomy) == 3


def test_the_canary_is_kept_apart_in_any_case(tmp_path: Path) -> None:
    files = {f"{top}/{own}/1.png": picture(len(top)) for top in ("train", "Canary") for own in "ab"}
    assert take(tmp_path, files, splits="folders").rule.endswith("'train', 'Canary' as canary")


@pytest.mark.parametrize("changed", [None, picture(9)], ids=["gone", "another"])
def test_a_picture_that_changes_while_the_tree_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: bytes | None
) -> None:
    def write_dataset(*asked: Any) -> None:
        (tmp_path / "tree/a/1.png").unlink()
        grow(tmp_path / "tree", {"a/1.png": changed} if changed else {})
        writer.write_dataset(*asked)

    monkeypatch.setattr(image_tree, "write_dataset", write_dataset)
    with pytest.raises(TaxohashError, match=r"a/1\.png changed while the tree was read: repeat"):
        take(tmp_path, {"a/1.png": picture(1), "b/2.png": picture(2)}, test_share=0)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_name_a_split(tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match="'my split', which cannot name a split"):
        take(tmp_path, {"my split/a/1.png": picture(1)}, splits="folders")


@pytest.mark.parametrize("source", [None, "/nowhere"])
def test_a_source_is_needed(tmp_path: Path, source: str | None) -> None:
    with pytest.raises(TaxohashError, match="folder"):
        prepare("folder", tmp_path / "out", source)
