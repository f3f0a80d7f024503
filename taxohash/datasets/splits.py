"""What a split is used for. The one named `canary` is kept apart, so that a hasher can be watched with pictures that
it has neither learned from nor can find."""

from collections.abc import Iterable

from taxohash.datasets.dataset import Dataset
from taxohash.errors import TaxohashError

CANARY = "canary"


def refuse_canary(split: str, use: str) -> str:
    """The split itself.

    Raises:
        TaxohashError: it is `canary`, which is never put to this use.
    """
    if split == CANARY:
        raise TaxohashError(
            f"split {CANARY!r} is never {use}: it is kept apart to watch hashers with, choose another"
        )
    return split


def listed(text: str) -> list[str]:
    """The names in a text such as `train,test`; none in an empty one."""
    return [name.strip() for name in text.split(",") if name.strip()]


def indexed_splits(dataset: Dataset, asked: Iterable[str] = ()) -> tuple[str, ...]:
    """The splits that can be found, in the order of the data set's: those asked for, or all but `canary` if none is.

    Raises:
        TaxohashError: an unknown split, `canary`, or nothing is left.
    """
    wanted = {refuse_canary(split, "indexed") for split in asked} or {*dataset.splits} - {CANARY}
    known = ", ".join(dataset.splits)
    if unknown := sorted(wanted - {*dataset.splits}):
        raise TaxohashError(f"data set {dataset.folder} has no split {unknown[0]!r}: choose from {known}")
    if not wanted:
        raise TaxohashError(
            f"data set {dataset.folder} has only {known}: give it a split that can be indexed"
        )
    return tuple(split for split in dataset.splits if split in wanted)


def unwatched(dataset: Dataset, splits: Iterable[str]) -> list[tuple[str, ...]]:
    """The classes of some splits, by their paths, of which the data set has no canary; none where it has no canaries with labels at all."""
    if CANARY not in dataset.splits or dataset.label_column(CANARY) is None:
        return []
    watched = {label for own in dataset.item_labels(CANARY) for label in own}
    found = {label for split in splits for own in dataset.item_labels(split) for label in own}
    return [dataset.taxonomy.paths[label] for label in sorted(found - watched)]
