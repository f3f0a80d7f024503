"""Any tree of images whose directories are the taxonomy: animals/dogs/terrier/one.jpg; depths may differ.

Images keep their bytes. If the directories at the top are train and test (and val), they are the splits; if not,
the hash of an image's bytes decides, so that adding images moves none and copies of one image stay in one split.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from taxohash.datasets.writer import Row, write_dataset
from taxohash.errors import TaxohashError
from taxohash.images import decode
from taxohash.runtime.progress import track
from taxohash.taxonomy import Taxonomy

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"})
SPLITS = ("train", "val", "test")
TEST_SHARE = 0.2


def prepare(out: Path, source: str | None = None) -> None:
    """Write the data set folder `out` from the image tree `source`.

    Raises:
        TaxohashError: no source, no images in it, an image above the directories of labels, an image
            that cannot be decoded, or a split without images.
    """
    if source is None:
        raise TaxohashError(
            "data set 'folder' needs a source: give the folder whose directories are the taxonomy"
        )
    root = Path(source)
    if not root.is_dir():
        raise TaxohashError(f"source {root} is not a folder: give one whose directories are the taxonomy")
    files = sorted(
        (
            file.relative_to(root)
            for file in root.rglob("*")
            if file.suffix.lower() in SUFFIXES and file.is_file()
        ),
        key=lambda file: file.parts,
    )
    if not files:
        raise TaxohashError(
            f"source {root} holds no images ({', '.join(sorted(SUFFIXES))}): give another folder"
        )
    given = {file.parts[0] for file in files} <= set(SPLITS)
    if loose := next((file for file in files if len(file.parts) < 2 + given), None):
        raise TaxohashError(
            f"image {root / loose} lies in no directory that names its label: move it into one"
        )
    by_split = _given_splits(files) if given else _hashed_splits(root, files)
    paths = sorted({_path(file, given) for file in files})
    taxonomy = Taxonomy(root.resolve().name, tuple(paths), source="an image tree", licence="see the source")
    write_dataset(
        out, taxonomy, ((split, _rows(root, split, by_split[split], taxonomy, given)) for split in by_split)
    )


def _path(file: Path, given: bool) -> tuple[str, ...]:
    return file.parts[1:-1] if given else file.parts[:-1]


def _given_splits(files: list[Path]) -> dict[str, list[Path]]:
    return {split: own for split in SPLITS if (own := [file for file in files if file.parts[0] == split])}


def _hashed_splits(root: Path, files: list[Path]) -> dict[str, list[Path]]:
    splits: dict[str, list[Path]] = {"train": [], "test": []}
    for file in track(files, len(files), "splitting"):
        digest = hashlib.sha256((root / file).read_bytes()).digest()
        share = int.from_bytes(digest[:8], "big") / 2**64
        splits["test" if share < TEST_SHARE else "train"].append(file)
    return splits


def _rows(root: Path, split: str, files: list[Path], taxonomy: Taxonomy, given: bool) -> Iterator[Row]:
    for file in track(files, len(files), f"writing {split}"):
        data = (root / file).read_bytes()
        try:
            decode(data)
        except TaxohashError as error:
            raise TaxohashError(f"{root / file}: {error}") from None
        yield Row(data, file.as_posix(), taxonomy.label(_path(file, given)))
