"""A data version and its codes become a generation of a collection: filled, counted and sealed. What is served stays as it is."""

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from services.codestore.records import GenerationRef, Item
from services.codestore.store import CodeStore
from taxohash.errors import TaxohashError

Batch = tuple[list[Item], npt.NDArray[np.uint8]]


def is_sealed(store: CodeStore, collection: str, generation_id: str) -> bool:
    """Whether a generation takes no more of its data version."""
    known = {state.ref.id: state.state for state in store.generations(collection)}
    return known.get(generation_id, "building") in ("sealed", "published", "retired")


def index(
    store: CodeStore, collection: str, ref: GenerationRef, batches: Callable[[], Iterable[Batch]]
) -> Counter[str]:
    """Make items members of a generation that is not sealed, with their codes, and seal it.

    Repeated after an interruption, it goes on.

    Args:
        batches: gives all items some at a time, each with its codes uint8[items, ceil(bits/8)], and all again when called again.

    Returns:
        How many items were "added", "replaced", "kept" or "deleted", see `CodeStore.fill`.

    Raises:
        TaxohashError: see CodeStore; or the collection does not hold what was put into it.
    """
    store.begin(collection, ref)

    def fill() -> Counter[str]:
        results: Counter[str] = Counter()
        for items, codes in batches():
            results.update(store.fill(collection, ref.id, items, codes).results)
        return results

    filled = fill()
    held = _held(store, collection, ref.id)
    if held != taken(filled):
        # Writes of the API take items over and delete them at any time, and nothing but this puts any in: so what was held
        # in between lies between two countings.
        before, filled = filled, fill()
        if not taken(filled) <= held <= taken(before):
            raise TaxohashError(
                f"generation {ref.id} holds {held} images in collection {collection!r}, of {taken(filled)} to"
                f" {taken(before)} that were put there: discard it and index it again"
            )
    store.seal(collection, ref.id)
    return filled


def taken(results: Counter[str]) -> int:
    """How many items became members."""
    return results["added"] + results["replaced"]


def _held(store: CodeStore, collection: str, generation_id: str) -> int:
    """How many items of the data version the generation has."""
    return sum(tally.members[generation_id] - tally.members[""] for tally in store.tallies(collection))
