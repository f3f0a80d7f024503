"""Publishing while items go on coming: it waits until nothing lacks, and nothing that was acknowledged is missed."""

import threading
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import pytest

from services.codestore import CodeStore, GenerationRef, Item
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy
from tests.support.threads import at_once

pytestmark = pytest.mark.system

TAXONOMY = Taxonomy("products", (("tops", "shirt"), ("tops", "coat"), ("shoes", "boot")))
OLD, NEW = GenerationRef("old", 16, TAXONOMY.sha256), GenerationRef("new", 24, TAXONOMY.sha256)


def encoded(ids: list[str], width: int) -> npt.NDArray[np.uint8]:
    """A stand-in for a hasher: the code is a function of the id and the generation."""
    return np.array([[hash((item_id, width, i)) & 255 for i in range(width)] for item_id in ids], np.uint8)


def backfill(store: CodeStore, name: str) -> None:
    """Bring the codes that the new generation lacks, by pictures that are as they were when they were read."""
    for found in store.lacking(name, "new"):
        ids = [item.id for item in found]
        store.put_codes(name, "new", ids, encoded(ids, 3), [item.revision for item in found])


@pytest.mark.parametrize("server", ["redis_url", "redis8_url", "redis7_url", "cluster_url"])
def test_a_publish_waits_for_the_backfill_while_items_come_and_go(
    request: pytest.FixtureRequest, server: str
) -> None:
    url: str = request.getfixturevalue(server)
    name = f"publish-{server.replace('_', '-')}"
    stop = threading.Event()
    there: set[str] = set()

    def write(writer: int) -> None:
        with CodeStore.connect(url) as store:
            number = 0
            while not stop.is_set():
                ids = [f"{writer} {number + i}" for i in range(20)]
                store.upsert(
                    name,
                    [Item(item_id, (1,), uri=f"s3://{item_id}") for item_id in ids],
                    {"old": encoded(ids, 2)},
                )
                there.update(ids)
                gone = ids[::7]
                store.delete(name, gone)
                there.difference_update(gone)
                number += 20

    def fill() -> None:
        with CodeStore.connect(url) as store:
            while not stop.is_set():
                backfill(store, name)

    def publish() -> None:
        with CodeStore.connect(url) as store:
            try:
                for _ in range(3):
                    before = set(there)
                    assert store.publish(name, "new", wait=60.0, why="test") == "old"
                    served = set(store.snapshot(name).ids)
                    gone = before - served
                    assert all(item is None for item in store.items(name, gone)), "acknowledged and not found"
                    assert store.rollback(name) == "old"
            finally:
                stop.set()

    with CodeStore.connect(url) as store:
        store.create(name, TAXONOMY, segments=4)
        store.begin(name, OLD)
        store.seal(name, "old")
        store.publish(name, "old")
        store.begin(name, NEW)
        store.seal(name, "new")
        store.upsert(name, [Item("without a picture", (0,))], {"old": encoded(["without a picture"], 2)})
        store.upsert(name, [Item("first", (0,), uri="s3://first")])
        with pytest.raises(TaxohashError, match="lacks the codes"):
            store.publish(name, "new")
        backfill(store, name)
        works: list[Callable[[], None]] = [lambda: write(1), lambda: write(2), fill, publish]
        at_once(works, stop.set)
        with suppress(
            TaxohashError
        ):  # since it was rolled back from, it has missed items: they are its members again
            store.publish(name, "new")
        backfill(store, name)
        store.publish(name, "new")
        found = store.snapshot(name, "new")
        codes = dict(zip(found.ids.tolist(), found.codes.tolist(), strict=True))
        assert codes.keys() == there | {"first"}
        assert codes == {item_id: encoded([item_id], 3)[0].tolist() for item_id in codes}
        (state,) = (known for known in store.generations(name) if known.ref.id == "new")
        assert state.members - state.codes == 1  # the one without a picture: counted apart
