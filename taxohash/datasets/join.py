"""Put the splits of one data set folder into another, as further shards: no file that was there changes its bytes.

DVC keeps files by their bytes, so the version that comes of it costs the new files alone.
"""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from taxohash.datasets.dataset import Dataset
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import drafting, place
from taxohash.runtime.terminal import some


def join(part: str | Path, data: str | Path) -> dict[str, tuple[int, int]]:
    """Let a data set have the images of another one as well; of each split that grew, its images before and after.

    The folder is replaced as a whole at the end: interrupted, it is what it was. Files are linked where that can be, else copied.

    Raises:
        TaxohashError: one of them is no data set; their labels differ, or how a split is labelled; an image of both has the same
            path, and so both would lose it as their id; or the folder cannot be written.
    """
    own, more = Dataset.open(Path(data).resolve()), Dataset.open(part)
    _check(own, more)
    counts = {split: own.count(split) if split in own.splits else 0 for split in more.splits}
    with drafting(own.folder.parent) as draft:
        growing = {file for split in more.splits for file in own.files.get(split, ())}
        for entry in sorted(own.folder.iterdir()):
            if entry not in growing:
                _carry(entry, draft / entry.name)
        for split, added in more.files.items():
            files = (*own.files.get(split, ()), *(file.resolve() for file in added))
            for file, name in zip(files, _names(split, files), strict=True):
                _carry(file, draft / name)
        place(draft, own.folder)
    joined = Dataset.open(own.folder)
    return {split: (before, joined.count(split)) for split, before in counts.items()}


def _check(own: Dataset, more: Dataset) -> None:
    if own.taxonomy.sha256 != more.taxonomy.sha256:
        raise TaxohashError(
            f"{more.folder} has the taxonomy {more.taxonomy.sha256[:12]}, {own.folder} has {own.taxonomy.sha256[:12]}: "
            "write one with the labels of the other"
        )
    for split in more.splits:
        if split in own.splits and own.label_column(split) != more.label_column(split):
            names = " and ".join(str(one.label_column(split) or "no labels") for one in (own, more))
            raise TaxohashError(
                f"split {split} of {own.folder} and {more.folder} has {names}: write both alike"
            )
    paths = [
        Counter(path for split in one.splits for path in one.paths(split) if path) for one in (own, more)
    ]
    if both := sorted(paths[0].keys() & paths[1].keys()):
        raise TaxohashError(
            f"{len(both):,} images of {more.folder} have the path of one in {own.folder} ({some(both)}): leave them out"
        )


def _names(split: str, files: Sequence[Path]) -> list[str]:
    if len(files) == 1:
        return [f"{split}.parquet"]
    return [f"{split}-{number:05d}-of-{len(files):05d}.parquet" for number in range(len(files))]


def _carry(source: Path, target: Path) -> None:
    """Have a file or folder under another name as well, without copying it where the disk allows."""
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another disk, or one without links
        shutil.copy2(source, target, follow_symlinks=False)
