"""The pictures of a data set by the ids of its items."""

from bisect import bisect_right
from functools import lru_cache

from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids

_GROUPS = 4  # pieces of tables kept in memory


class DataPictures:
    """Looks up pictures by item id; what is asked for in the order of the rows is read once. Safe to share between threads."""

    def __init__(self, dataset: Dataset) -> None:
        """Read the ids.

        Raises:
            TaxohashError: a split cannot be read.
        """
        self._rows = {
            item_id: (split, row)
            for split, ids in item_ids(dataset).items()
            for row, item_id in enumerate(ids)
        }
        self._groups = {split: dataset.row_groups(split) for split in dataset.splits}
        self._images = lru_cache(_GROUPS)(lambda split, number: self._groups[split][number].images())

    def __call__(self, item_id: str) -> bytes | None:
        """The encoded picture of an item, None where the data set has no such item."""
        if item_id not in self._rows:
            return None
        split, row = self._rows[item_id]
        number = bisect_right(self._groups[split], row, key=lambda group: group.first_row) - 1
        images: list[bytes] = self._images(split, number)
        return images[row - self._groups[split][number].first_row]
