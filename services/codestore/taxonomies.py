"""A collection that takes the items of a data set: made for its taxonomy, or grown by it."""

import numpy as np
import numpy.typing as npt

from services.codestore.labels import LabelNumbers
from services.codestore.store import CodeStore
from taxohash.taxonomy import Taxonomy


def prepare(store: CodeStore, collection: str, taxonomy: Taxonomy) -> None:
    """Make the collection if it is not there. One that is there is left as it is, and must be able to take the taxonomy.

    Raises:
        TaxohashError: its taxonomy is another one, of which this can be no new version.
    """
    if not store.exists(collection):
        store.create(collection, taxonomy)
        return
    labels = store.labels(collection)
    if not _knows(labels, taxonomy):
        labels.grown(taxonomy)


def numbers_of(store: CodeStore, collection: str, taxonomy: Taxonomy, who: str) -> npt.NDArray[np.int32]:
    """int32[labels]: the number that the collection has for each label of the taxonomy; it is grown by one that is new.

    Raises:
        TaxohashError: see `prepare`.
    """
    prepare(store, collection, taxonomy)
    labels = store.labels(collection)
    if not _knows(labels, taxonomy):
        labels = store.grow(collection, taxonomy, who=who, why="a new version of the data set's taxonomy")
    return labels.numbers(labels.version_of(taxonomy.sha256))


def _knows(labels: LabelNumbers, taxonomy: Taxonomy) -> bool:
    return any(version.sha256 == taxonomy.sha256 for version in labels.taxonomies)
