"""What a data set has already, so that nothing is written that is in it."""

import hashlib
from dataclasses import dataclass, field

from taxohash.datasets import Dataset
from taxohash.datasets.digests import pixel_digest
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import track


@dataclass(frozen=True)
class Known:
    """Paths of the images of a set, and sha256 of their bytes and digests of their pixels, in hex."""

    digests: dict[str, str] = field(default_factory=dict)
    looks: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, dataset: Dataset) -> "Known":
        """Read and decode all images of a set; progress is shown.

        Raises:
            TaxohashError: a split that cannot be read.
        """
        found = cls()
        for split in dataset.splits:
            paths = dataset.paths(split)
            images = track(dataset.images(split), len(paths), f"reading {split}")
            for path, data in zip(paths, images, strict=True):
                digest = hashlib.sha256(data).hexdigest()
                found.looks.add(digest)
                if path:
                    found.digests[path] = digest
                try:
                    found.looks.add(pixel_digest(data).hex())
                except TaxohashError:  # as `check` will say
                    continue
        return found
