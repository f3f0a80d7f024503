"""The images of a data set and their codes become a generation of a collection."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pipelines.shared.items import items
from services.codestore import CodeStore, GenerationRef, data_version
from services.codestore.data_version import Batch, is_sealed, taken
from services.codestore.pictures import Pictures
from services.codestore.taxonomies import numbers_of
from taxohash.datasets import Dataset
from taxohash.generation.manifest import Generation
from taxohash.runtime.progress import announce

WHO = "pipeline"


def index(
    store: CodeStore,
    pictures: Pictures,
    collection: str,
    generation: Generation,
    dataset: Dataset,
    codes: npt.NDArray[np.uint8],
) -> None:
    """Make the images whose codes a generation holds its items, and seal it. What is served stays as it is.

    Repeated, it changes nothing; after an interruption it goes on.

    Args:
        codes: uint8[N, ceil(bits/8)], of the images of the generation's splits one after the other.

    Raises:
        TaxohashError: see `data_version.index`.
    """
    numbers = numbers_of(store, collection, dataset.taxonomy, WHO)
    if is_sealed(store, collection, generation.id):
        return
    splits = [part["split"] for part in generation.database]
    reader = generation.preprocessing.reader

    def batches() -> Iterator[Batch]:
        done = 0
        for batch in items(dataset, *splits, numbers=numbers, pictures=pictures, reader=reader):
            yield batch, codes[done : done + len(batch)]
            done += len(batch)

    ref = GenerationRef(generation.id, generation.bits, generation.taxonomy_sha256)
    announce(_told(generation.id, data_version.index(store, collection, ref, batches)))


def _told(generation_id: str, results: Counter[str]) -> str:
    left_out = {"kept": "are the API's by now", "deleted": "were deleted by hand"}
    told = [f"{results[result]:,} {reason}" for result, reason in left_out.items() if results[result]]
    return ", ".join([f"generation {generation_id} has {taken(results):,} images of the data set", *told])
