"""What the last steps would refuse, found before the long ones begin."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from pipelines.shared.generations import bring
from services.codestore import Item
from services.codestore.checks import check_item
from services.codestore.generation_files import GenerationFiles
from services.codestore.own import code_store
from services.codestore.pictures import Pictures
from services.codestore.taxonomies import prepare
from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.datasets.splits import CANARY, unwatched
from taxohash.errors import TaxohashError
from taxohash.evaluation.run import graded
from taxohash.generation.canaries import CANARIES
from taxohash.generation.manifest import Generation
from taxohash.runtime.atomic import writable
from taxohash.runtime.terminal import some
from taxohash.taxonomy import Taxonomy

SPARE_BYTES = 256 << 20


def preflight(
    dataset: Dataset, database: str, queries: str, indexed: Iterable[str], collection: str, generations: Path
) -> None:
    """Make sure that a hasher trained now could be evaluated, judged, exported, indexed and published.

    Args:
        indexed: the splits that are to be found.

    Raises:
        TaxohashError: a split is missing or has no labels that can grade answers, an item that the store would not
            take, too little space, a folder, a picture store or a place for generations that cannot be written, no code store, one that has
            the collection with another tree or takes no writes, a published generation that is not there to be compared with, or a class
            that is new since then and has no canary, where there were canaries.
    """
    graded(None, dataset, database, queries)
    indexed = tuple(indexed)
    _check_items(dataset, indexed)
    writable(_standing(generations))
    _check_space(_standing(generations), dataset)
    pictures = Pictures.from_environment()
    pictures.delete(pictures.put(b"a picture store that can be written"))
    with code_store() as store:
        prepare(store, collection, dataset.taxonomy)
        store.create(collection, store.taxonomy(collection), store.segments(collection))  # which is a write
        published = store.published(collection)
    if files := GenerationFiles.named():
        files.require_writable()
    if published is not None:
        bring(published.id, generations)
        _check_canaries(dataset, indexed, generations / published.id)


def _check_items(dataset: Dataset, splits: Iterable[str]) -> None:
    ids = item_ids(dataset)
    for split in splits:
        for item_id, own in zip(ids[split], dataset.item_labels(split), strict=True):
            check_item(Item(item_id, tuple(own)), range(len(dataset.taxonomy)))


def _check_canaries(dataset: Dataset, indexed: Iterable[str], published: Path) -> None:
    """Who watches a hasher with canaries watches new classes from their first day on."""
    if CANARIES not in Generation.load(published).files:
        return
    before = set(Taxonomy.load(published).paths)
    if bare := ["/".join(path) for path in unwatched(dataset, indexed) if path not in before]:
        raise TaxohashError(
            f"split {CANARY} has no picture of {len(bare)} classes that are new, {some(bare)}: move one of each there, or more"
        )


def _check_space(folder: Path, dataset: Dataset) -> None:
    """A generation, thumbnails and what the steps hand on are together no larger than the data and some more."""
    needed = SPARE_BYTES + sum(file.stat().st_size for files in dataset.files.values() for file in files)
    if (free := shutil.disk_usage(folder).free) < needed:
        raise TaxohashError(
            f"{folder} has {free / 1e6:,.0f} MB free, and {needed / 1e6:,.0f} MB may be needed: free some space, or choose another folder"
        )


def _standing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if os.path.exists(place))
