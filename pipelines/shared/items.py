"""Catalog items of a data set's images."""

import io

from services.codestore import Item
from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.images import READER, decode
from taxohash.images.png import shown_alike
from taxohash.runtime.progress import bars

THUMBNAIL_PIXELS = 128
# An image this small is its own thumbnail, if every program shows it alike.
SMALL_BYTES = 4096
# One of so few pixels loses nothing: the least loss would be seen.
EXACT_PIXELS = 64 * 64


def items(dataset: Dataset, *splits: str, reader: int = READER) -> list[Item]:
    """One item an image: its id, labels and a thumbnail, split after split in the order of the rows.

    Args:
        reader: version of the reader that the codes were made with.
    """
    ids = item_ids(dataset)
    found = []
    with bars() as progress:
        for split in splits:
            task = progress.add_task(f"thumbnails of {split}", total=len(ids[split]), note="")
            rows = zip(ids[split], dataset.item_labels(split), dataset.images(split), strict=True)
            for item_id, own, data in progress.track(rows, task_id=task):
                found.append(Item(item_id, tuple(own), thumbnail(data, reader)))
    return found


def thumbnail(data: bytes, reader: int = READER) -> bytes:
    """A picture for the page, of what the hasher sees: the image itself if small, else a WebP of at most 128 px.

    Raises:
        TaxohashError: see `decode`.
    """
    if len(data) <= SMALL_BYTES and shown_alike(data, THUMBNAIL_PIXELS):
        return data
    image = decode(data, version=reader)
    exact = image.width * image.height <= EXACT_PIXELS
    image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=exact, quality=80)
    return out.getvalue()
