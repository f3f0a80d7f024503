"""What the scenarios of the code store share."""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pytest

from services.codestore import CodeStore, GenerationRef, Item
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

BACK_ENDS = ("memory", "redis_url", "redis8_url", "redis7_url", "cluster_url")
TAXONOMY = Taxonomy("products", (("tops", "shirt"), ("tops", "coat"), ("shoes", "boot")))
DIGEST = "0123456789abcdef" * 4

Codes = npt.NDArray[np.uint8]


def ref(generation_id: str, bits: int = 12) -> GenerationRef:
    return GenerationRef(generation_id, bits, TAXONOMY.sha256)


def random_codes(count: int, bits: int = 12, seed: int = 0) -> Codes:
    return np.packbits(np.random.default_rng(seed).integers(0, 2, (count, bits), np.uint8), axis=1)


def numbered(count: int, first: int = 0) -> list[Item]:
    """Items "item 0", "item 1", ... with one label each."""
    return [Item(f"item {number}", (number % 3,)) for number in range(first, first + count)]


def ids_of(items: Iterable[Item]) -> list[str]:
    return [item.id for item in items]


def filled(store: CodeStore, name: str, generation_id: str, items: list[Item], seed: int = 0) -> Codes:
    """A generation of a data version of these items, sealed; its codes."""
    store.begin(name, ref(generation_id))
    codes = random_codes(len(items), seed=seed)
    store.fill(name, generation_id, items, codes)
    store.seal(name, generation_id)
    return codes


def served(store: CodeStore, name: str, generation_id: str, items: list[Item], seed: int = 0) -> str | None:
    """The same, published; the generation that was published before."""
    filled(store, name, generation_id, items, seed)
    return store.publish(name, generation_id)


def codes_by_id(store: CodeStore, name: str, generation_id: str | None = None) -> dict[str, bytes]:
    """What is searched."""
    snapshot = store.snapshot(name, generation_id)
    found = {item_id: code.tobytes() for item_id, code in zip(snapshot.ids, snapshot.codes, strict=True)}
    assert len(found) == len(snapshot.ids)
    return found


def refused(store: CodeStore, name: str, call: Callable[[], object], message: str) -> None:
    """A call is refused in one line that fits the pattern, and changes nothing."""
    before = store.tallies(name), store.generations(name), store.history(name), store.audit(name)
    with pytest.raises(TaxohashError, match=message) as caught:
        call()
    assert str(caught.value).isprintable()
    assert (store.tallies(name), store.generations(name), store.history(name), store.audit(name)) == before
