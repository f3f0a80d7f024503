"""Any tree of images whose directories are the taxonomy: animals/dogs/terrier/one.jpg; depths may differ.

Images keep their bytes. What was taken, what was left out and why is told; what cannot be used, or looks like an
accident, is refused unless an option takes it.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated

from pydantic import Field

from taxohash.datasets.named.tree_splits import SplitRule, by_folder, by_hash, look_like_splits
from taxohash.datasets.named.tree_walk import Tree, shown, walk
from taxohash.datasets.writer import Row, write_dataset
from taxohash.errors import TaxohashError
from taxohash.images import FORMATS, decode
from taxohash.runtime.atomic import vacant
from taxohash.runtime.configuration import configuration
from taxohash.runtime.progress import track
from taxohash.runtime.terminal import some
from taxohash.taxonomy import Taxonomy
from taxohash.taxonomy.twins import twins


@configuration
class TreeOptions:
    """How a tree is read.

    Attributes:
        splits: `folders` takes the folders at the top as splits, `hash` takes them as labels and splits by the
            hash of an image's bytes, `auto` is `folders` where all of them spell train, val or test.
        test_share: of the images, in test when the hash decides; 0 makes no test split.
        skip_unusable: leave out what cannot be used: images that cannot be decoded or are of other formats,
            files that cannot be read, folders without a picture.
        as_is: take a tree that looks like an accident: one label, names that differ in case alone, splits
            below the top.
    """

    splits: SplitRule = "auto"
    test_share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    skip_unusable: bool = False
    as_is: bool = False


@dataclass(frozen=True)
class Taken:
    """What became of a tree, a line each."""

    rule: str
    splits: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        return (self.rule, *self.splits, *self.left_out)


def prepare(out: Path, source: str | None = None, options: TreeOptions | None = None) -> Taken:
    """Write the data set folder `out` from the image tree `source`, and tell what was taken.

    Raises:
        TaxohashError: no source, no images in it, what the options do not take, an image that is not in a folder
            of a label of its own, or a split without images.
    """
    options = options or TreeOptions()
    if source is None:
        raise TaxohashError(
            "data set 'folder' needs a source: give the folder whose directories are the taxonomy"
        )
    root = Path(source)
    if not root.is_dir():
        raise TaxohashError(f"source {source} is not a folder: give one whose directories are the taxonomy")
    vacant(out)
    tree = walk(root)
    digests = _digests(root, tree)
    if digests or tree.unusable:
        _refuse_unusable(root, tree, options)
    if not digests:
        found = "".join(f"; left out: {line}" for line in _left_out(tree))
        raise TaxohashError(
            f"source {root} holds no images ({', '.join(FORMATS)}): give another folder{found}"
        )
    if loose := [path for path in digests if len(path.parts) < 2]:
        raise _of_no_label(root, loose)
    tops = sorted({path.parts[0] for path in digests})
    split_of = by_folder(root, tops, options.splits)
    labels = {path: _label(path, split_of is not None) for path in digests}
    _check_labels(root, labels, options)
    if split_of is None:
        rule = f"split by the hash of an image's bytes, {options.test_share:g} of them into test"
        by_split = by_hash(digests, labels, options.test_share)
        if options.test_share and "test" not in by_split:
            raise TaxohashError(
                f"none of the {len(digests)} images of {root} falls into test: give --test-share 0 for no test, or "
                "sort them into the folders train and test"
            )
    else:
        folders = [repr(top) if top == split else f"{top!r} as {split}" for top, split in split_of.items()]
        rule = f"split by the folders {', '.join(folders)}"
        by_split = {
            split: [path for path in digests if path.parts[0] == top] for top, split in split_of.items()
        }
    name = root.resolve().name or "images"
    paths = sorted({label.parts for label in labels.values()})
    taxonomy = Taxonomy(name, tuple(paths), source="an image tree", licence="see the source")
    numbers = {path: taxonomy.label(label.parts) for path, label in labels.items()}
    rows = ((split, _rows(root, split, own, digests, numbers)) for split, own in by_split.items())
    write_dataset(out, taxonomy, rows)
    counts = tuple(_counted(split, own, labels, tree) for split, own in by_split.items())
    return Taken(rule, counts, tuple(f"left out: {line}" for line in _left_out(tree)))


def _digests(root: Path, tree: Tree) -> dict[PurePath, bytes]:
    """SHA-256 of every picture that can be decoded; the others become unusable."""
    digests = {}
    for path in track(tree.pictures, len(tree.pictures), "reading"):
        try:
            data = (root / path).read_bytes()
            decode(data)
        except OSError as error:
            tree.unusable[path] = f"cannot be read ({error.strerror})"
        except TaxohashError as error:
            tree.unusable[path] = str(error)
        else:
            digests[path] = hashlib.sha256(data).digest()
    return digests


def _refuse_unusable(root: Path, tree: Tree, options: TreeOptions) -> None:
    unusable = tree.unusable | dict.fromkeys(tree.barren, "a folder without images")
    if unusable and not options.skip_unusable:
        path, reason = min(unusable.items())
        more = f" and {len(unusable) - 1} more like it" if len(unusable) > 1 else ""
        raise TaxohashError(
            f"{shown(root / path)} cannot be used ({reason}){more}: mend or remove it, or leave such out with "
            "--skip-unusable"
        )


def _label(path: PurePath, split_above: bool) -> PurePath:
    """The folder of a picture's label, below that of its split."""
    return PurePath(*path.parts[1:-1] if split_above else path.parts[:-1])


def _check_labels(root: Path, labels: Mapping[PurePath, PurePath], options: TreeOptions) -> None:
    if loose := [path for path, label in labels.items() if not label.parts]:
        raise _of_no_label(root, loose)
    folders = set(labels.values())
    inner = {above: folder for folder in sorted(folders) for above in folder.parents}
    if between := [path for path, label in labels.items() if label in inner]:
        first = between[0]
        below = shown(inner[labels[first]])
        raise TaxohashError(
            f"{_counted_images(between)} in a folder with labels below it, the first {shown(root / first)} beside "
            f"{below}: move each into a folder of its own label"
        )
    if not options.as_is:
        for accident in _accidents(root, folders):
            raise TaxohashError(f"{accident}; --as-is takes it as it is")


def _accidents(root: Path, folders: set[PurePath]) -> Iterator[str]:
    """What looks unintended about the folders of the labels."""
    children = defaultdict(set)
    for folder in folders:
        for node in (folder, *folder.parents[:-1]):
            children[node.parent].add(node.name)
    for parent, names in sorted(children.items()):
        if parent.parts and look_like_splits(names):
            told = some(shown(parent / name) for name in sorted(names))
            yield f"{told} of {root} look like splits and lie below the top: move them there"
    for one, other in twins(folder.parts for folder in folders):
        pair = f"{shown(PurePath(*one))} and {shown(PurePath(*other))} of {root}"
        yield f"{pair} differ in case or in how letters are encoded alone: join them"
    if len(folders) == 1:
        yield f"all images of {root} have one label, {shown(min(folders))}: give the folder above it"


def _of_no_label(root: Path, loose: Sequence[PurePath]) -> TaxohashError:
    return TaxohashError(
        f"{_counted_images(loose)} in no directory that names a label, the first {shown(root / loose[0])}: move each "
        "into one"
    )


def _counted_images(paths: Sequence[PurePath]) -> str:
    return f"{len(paths):,} images lie" if len(paths) > 1 else "1 image lies"


def _counted(
    split: str, pictures: Sequence[PurePath], labels: Mapping[PurePath, PurePath], tree: Tree
) -> str:
    formats = Counter(tree.pictures[path] for path in pictures)
    told = ", ".join(f"{count:,} {name}" for name, count in formats.most_common())
    return (
        f"{split}: {len(pictures):,} images of {len({labels[path] for path in pictures}):,} labels ({told})"
    )


def _left_out(tree: Tree) -> Iterator[str]:
    for reason, paths in sorted(tree.left_out.items()):
        yield f"{len(paths):,} {reason}: {some(map(shown, paths))}"
    if tree.unusable:
        told = (f"{shown(path)} ({reason})" for path, reason in sorted(tree.unusable.items()))
        yield f"{len(tree.unusable):,} unusable: {some(told)}"
    if tree.barren:
        yield f"{len(tree.barren):,} folders without images: {some(map(shown, tree.barren))}"


def _rows(
    root: Path,
    split: str,
    pictures: Sequence[PurePath],
    digests: Mapping[PurePath, bytes],
    numbers: Mapping[PurePath, int],
) -> Iterator[Row]:
    for path in track(pictures, len(pictures), f"writing {split}"):
        yield Row(_unchanged(root / path, digests[path]), path.as_posix(), numbers[path])


def _unchanged(file: Path, digest: bytes) -> bytes:
    """The bytes of a file that is still what was looked at."""
    try:
        data = file.read_bytes()
    except OSError:
        data = b""
    if hashlib.sha256(data).digest() != digest:
        raise TaxohashError(f"{shown(file)} changed while the tree was read: repeat when nothing changes it")
    return data
