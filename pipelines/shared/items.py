"""Catalog items of a data set's images."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

from services.codestore import Item
from services.codestore.pictures import Pictures
from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.images import READER, decode, pixel_hash
from taxohash.images.thumbnails import drawn, is_own_thumbnail
from taxohash.runtime.progress import bars

BATCH = 1000  # items at a time


def items(
    dataset: Dataset,
    *splits: str,
    numbers: npt.NDArray[np.int32],
    pictures: Pictures,
    reader: int = READER,
) -> Iterator[list[Item]]:
    """One item an image, some at a time, split after split in the order of the rows; progress is shown.

    An item names its thumbnail, which is in the picture store by then. The original stays in the data set.

    Args:
        numbers: int32[labels], the number that a collection has for each label of the data set.
        reader: version of the reader that the codes were made with.
    """
    ids = item_ids(dataset)
    with bars() as progress:
        for split in splits:
            task = progress.add_task(f"items of {split}", total=len(ids[split]), note="")
            labels, images = dataset.item_labels(split), dataset.images(split)
            for first in range(0, len(labels), BATCH):
                part = slice(first, first + BATCH)
                shown = [_shown(data, reader) for data in islice(images, BATCH)]
                thumbnails = pictures.put_many(data for data, _ in shown)
                rows = zip(ids[split][part], labels[part], thumbnails, shown, strict=True)
                yield [
                    Item(item_id, tuple(numbers[own].tolist()), thumbnail=digest, pixels=pixels)
                    for item_id, own, digest, (_, pixels) in rows
                ]
                progress.advance(task, len(thumbnails))


def _shown(data: bytes, reader: int) -> tuple[bytes, str]:
    """The thumbnail of an image, and the hash of its pixels."""
    image = decode(data, version=reader)
    pixels = pixel_hash(image, reader)
    return data if is_own_thumbnail(data) else drawn(image), pixels
