"""A data version and its codes become a generation of a collection."""

from collections import Counter

import numpy as np
import numpy.typing as npt

from pipelines.shared.collection import numbers_of
from pipelines.shared.items import items
from services.codestore import CodeStore, GenerationRef
from services.codestore.pictures import Pictures
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
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
        TaxohashError: see CodeStore; or the collection does not hold what was put into it.
    """
    numbers = numbers_of(store, collection, dataset.taxonomy, WHO)
    known = {state.ref.id: state.state for state in store.generations(collection)}
    if known.get(generation.id, "building") in ("sealed", "published", "retired"):
        return
    store.begin(collection, GenerationRef(generation.id, generation.bits, generation.taxonomy_sha256))

    def fill() -> Counter[str]:
        results: Counter[str] = Counter()
        splits = [part["split"] for part in generation.database]
        reader = generation.preprocessing.reader
        for batch in items(dataset, *splits, numbers=numbers, pictures=pictures, reader=reader):
            done = results.total()
            own = codes[done : done + len(batch)]
            results.update(store.fill(collection, generation.id, batch, own).results)
        return results

    filled = fill()
    held = _held(store, collection, generation.id)
    if held != _taken(filled):
        # Writes of the API take items over and delete them at any time, and nothing but this puts any in: so what was held
        # in between lies between two countings.
        before, filled = filled, fill()
        if not _taken(filled) <= held <= _taken(before):
            raise TaxohashError(
                f"generation {generation.id} holds {held} images in collection {collection!r}, of {_taken(filled)} to"
                f" {_taken(before)} that were put there: discard it and index it again"
            )
    store.seal(collection, generation.id)
    announce(_told(generation.id, filled))


def _held(store: CodeStore, collection: str, generation_id: str) -> int:
    """How many items of the data version the generation has."""
    return sum(tally.members[generation_id] - tally.members[""] for tally in store.tallies(collection))


def _taken(results: Counter[str]) -> int:
    return results["added"] + results["replaced"]


def _told(generation_id: str, results: Counter[str]) -> str:
    left_out = {"kept": "are the API's by now", "deleted": "were deleted by hand"}
    told = [f"{results[result]:,} {reason}" for result, reason in left_out.items() if results[result]]
    return ", ".join([f"generation {generation_id} has {_taken(results):,} images of the data set", *told])
