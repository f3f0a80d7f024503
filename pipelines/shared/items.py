"""Catalog items of a data set's images."""

import io

from services.codestore import Item
from taxohash.datasets import Dataset
from taxohash.images import decode
from taxohash.runtime.progress import bars

THUMBNAIL_PIXELS = 128
# An image this small is its own thumbnail.
SMALL_BYTES = 4096


def items(dataset: Dataset, split: str) -> list[Item]:
    """One item an image: its name, labels and a thumbnail, in the order of the rows."""
    names = dataset.names(split)
    if len(set(names)) < len(names):
        names = [f"{split}/{row:07d}" for row in range(len(names))]
    labelled = dataset.label_column(split) is not None
    labels = [own.tolist() for own in dataset.label_sets(split)] if labelled else [[]] * len(names)
    found = []
    with bars() as progress:
        task = progress.add_task("thumbnails", total=len(names), note="")
        rows = zip(names, labels, dataset.images(split), strict=True)
        for name, own, data in progress.track(rows, task_id=task):
            found.append(Item(name, tuple(own), thumbnail(data)))
    return found


def thumbnail(data: bytes) -> bytes:
    """A picture for the page: the image itself if small, else a WebP of at most 128 px."""
    if len(data) <= SMALL_BYTES:
        return data
    image = decode(data).convert("RGB")
    image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    out = io.BytesIO()
    image.save(out, "WEBP", quality=80)
    return out.getvalue()
