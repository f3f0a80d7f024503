"""Versions of a data set become generations of a collection, while others write to it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.shared import items as items_module
from pipelines.steps import index as module
from pipelines.steps.index import index
from services.codestore import CodeStore, Item, Written
from services.codestore.pictures import Pictures, digest_of
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.images import READER, decode, pixel_hash
from taxohash.taxonomy import Taxonomy
from tests.support.data_versions import codes_of, data_version, generation_of
from tests.support.interrupted import Interrupted
from tests.support.tiny import TAXONOMY

COLLECTION = "catalog"
LABELS = {f"item {i}": i % 3 for i in range(40)}
GROWN = Taxonomy("tiny", (("animal", "ant"), *TAXONOMY.paths), source="here", licence="ours")


@pytest.fixture
def store() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as made:
        yield made


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures.open(tmp_path / "pictures")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items_module, "BATCH", 7)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(module, "announce", found.append)
    return found


def put(store: CodeStore, pictures: Pictures, dataset: Dataset) -> str:
    """Index a data version; the generation's id."""
    generation = generation_of(dataset)
    index(store, pictures, COLLECTION, generation, dataset, codes_of(dataset))
    return generation.id


def seen(store: CodeStore, generation_id: str) -> dict[str, Any]:
    """All that can be seen of a generation: codes, labels and records by id."""
    snapshot = store.snapshot(COLLECTION, generation_id)
    ids = snapshot.ids.tolist()
    return {
        item_id: (
            store.item(COLLECTION, item_id, generation_id),
            snapshot.labels[row].tolist(),
            bytes(snapshot.codes[row]),
        )
        for row, item_id in enumerate(ids)
    }


def expected(dataset: Dataset, numbers: Sequence[int] = (0, 1, 2)) -> dict[str, Any]:
    """What `seen` should see of a data version whose images are their own thumbnails."""
    rows = zip(
        dataset.paths("train"),
        dataset.labels("train").tolist(),
        dataset.images("train"),
        codes_of(dataset),
        strict=True,
    )
    return {
        item_id: (
            Item(
                item_id, (numbers[label],), thumbnail=digest_of(data), pixels=pixel_hash(decode(data), READER)
            ),
            [numbers[label]],
            bytes(code),
        )
        for item_id, label, data, code in rows
    }


def test_a_data_version_becomes_a_sealed_generation(
    store: CodeStore, pictures: Pictures, tmp_path: Path, told: list[str]
) -> None:
    dataset = data_version(tmp_path / "data", TAXONOMY, LABELS)
    generation = put(store, pictures, dataset)
    assert seen(store, generation) == expected(dataset)
    assert [pictures.get(digest_of(data)) for data in dataset.images("train")] == list(
        dataset.images("train")
    )
    (state,) = store.generations(COLLECTION)
    assert (state.state, state.members, state.codes) == ("sealed", 40, 40)
    assert told == [f"generation {generation} has 40 images of the data set"]


def test_repeated_it_writes_nothing(store: CodeStore, pictures: Pictures, tmp_path: Path) -> None:
    dataset = data_version(tmp_path / "data", TAXONOMY, LABELS)
    generation = put(store, pictures, dataset)
    for publish in (False, True):
        if publish:
            store.publish(COLLECTION, generation)
        before = store.state(COLLECTION)
        put(store, pictures, dataset)
        assert store.state(COLLECTION) == before


def test_interrupted_anywhere_it_goes_on(store: CodeStore, pictures: Pictures, tmp_path: Path) -> None:
    dataset = data_version(tmp_path / "data", TAXONOMY, LABELS)
    for batches in range(6):
        with pytest.raises(KeyboardInterrupt):
            put(Interrupted(store, batches), pictures, dataset)  # type: ignore[arg-type]
    generation = put(store, pictures, dataset)
    assert seen(store, generation) == expected(dataset)


def test_the_live_generation_shows_what_it_did_until_the_pointer_moves(
    store: CodeStore, pictures: Pictures, tmp_path: Path
) -> None:
    first = data_version(tmp_path / "first", TAXONOMY, LABELS)
    old = put(store, pictures, first)
    store.publish(COLLECTION, old)
    before = seen(store, old)
    others = {item_id: (label + 1) % 3 for item_id, label in LABELS.items()}
    second = data_version(
        tmp_path / "second", TAXONOMY, others, {item_id: f"new {item_id}" for item_id in others}
    )
    new = put(store, pictures, second)
    assert seen(store, old) == before
    assert seen(store, new) == expected(second)
    store.publish(COLLECTION, new)
    assert (seen(store, old), seen(store, new)) == (before, expected(second))
    store.rollback(COLLECTION)
    assert seen(store, old) == before


def test_what_a_new_version_lacks_blocks_no_publish_and_goes_with_the_last_generation_that_has_it(
    store: CodeStore, pictures: Pictures, tmp_path: Path
) -> None:
    first = data_version(tmp_path / "first", TAXONOMY, LABELS)
    old = put(store, pictures, first)
    store.publish(COLLECTION, old)
    labels = {item_id: label for item_id, label in LABELS.items() if item_id != "item 7"} | {"item new": 2}
    second = data_version(tmp_path / "second", TAXONOMY, labels)
    new = put(store, pictures, second)
    assert store.publish(COLLECTION, new) == old
    assert seen(store, old) == expected(first)
    assert seen(store, new) == expected(second)
    third = put(store, pictures, data_version(tmp_path / "third", TAXONOMY, labels | {"item 41": 1}))
    store.publish(COLLECTION, third)
    assert store.gc(COLLECTION).items == 1
    assert store.item(COLLECTION, "item 7") is None
    assert seen(store, new) == expected(second)


def test_items_of_the_api_and_those_deleted_by_hand_are_left_out_and_told(
    store: CodeStore, pictures: Pictures, tmp_path: Path, told: list[str]
) -> None:
    dataset = data_version(tmp_path / "data", TAXONOMY, LABELS)
    old = put(store, pictures, dataset)
    store.publish(COLLECTION, old)
    store.upsert(COLLECTION, [Item("item 3", (1,), uri="https://here/3")])
    store.delete(COLLECTION, ["item 4", "item 5"])
    second = data_version(tmp_path / "second", TAXONOMY, LABELS | {"item new": 0})
    new = put(store, pictures, second)
    assert told[-1] == (
        f"generation {new} has 38 images of the data set, 1 are the API's by now, 2 were deleted by hand"
    )
    assert seen(store, new).keys() == expected(second).keys() - {"item 3", "item 4", "item 5"}
    with pytest.raises(TaxohashError, match="lacks the codes of 1 of"):
        store.publish(COLLECTION, new)
    store.put_codes(COLLECTION, new, ["item 3"], np.zeros((1, 3), np.uint8))
    assert store.publish(COLLECTION, new) == old


def test_an_item_that_was_only_labelled_anew_by_the_api_is_found_in_the_next_generation(
    store: CodeStore, pictures: Pictures, tmp_path: Path
) -> None:
    dataset = data_version(tmp_path / "data", TAXONOMY, LABELS)
    old = put(store, pictures, dataset)
    store.publish(COLLECTION, old)
    store.upsert(COLLECTION, [Item("item 3", (2,), tags=("mended",))])
    second = data_version(tmp_path / "second", TAXONOMY, LABELS | {"item new": 0}, {"item 3": "another look"})
    new = put(store, pictures, second)
    store.publish(COLLECTION, new)
    item, labels, code = seen(store, new)["item 3"]
    assert (item.tags, item.origin, labels) == (("mended",), "api", [2])
    assert code == expected(second)["item 3"][2]
    assert seen(store, old)["item 3"][1:] == ([2], expected(dataset)["item 3"][2])
    (state,) = (state for state in store.generations(COLLECTION) if state.ref.id == new)
    assert state.members == state.codes == 41


def test_writes_of_the_api_meanwhile_are_no_loss(
    store: CodeStore, pictures: Pictures, tmp_path: Path
) -> None:
    dataset = data_version(tmp_path / "data", TAXONOMY, LABELS)
    busy: Any = Busy(store)
    generation = put(busy, pictures, dataset)
    assert seen(store, generation).keys() == expected(dataset).keys() - {"item 1", "item 2"}


def test_a_store_that_loses_items_is_found_out(store: CodeStore, pictures: Pictures, tmp_path: Path) -> None:
    dataset = data_version(tmp_path / "data", TAXONOMY, LABELS)
    with pytest.raises(TaxohashError, match=r"holds 39 images .* of 40 to 40 that were put there"):
        put(Losing(store), pictures, dataset)  # type: ignore[arg-type]


def test_a_new_version_of_the_taxonomy_grows_the_collection(
    store: CodeStore, pictures: Pictures, tmp_path: Path
) -> None:
    first = data_version(tmp_path / "first", TAXONOMY, LABELS)
    old = put(store, pictures, first)
    store.publish(COLLECTION, old)
    second = data_version(tmp_path / "second", GROWN, {item_id: i % 4 for i, item_id in enumerate(LABELS)})
    new = put(store, pictures, second)
    numbers = store.labels(COLLECTION).numbers().tolist()
    assert sorted(numbers) == [0, 1, 2, 3]
    assert numbers[GROWN.paths.index(("animal", "ant"))] == 3
    assert seen(store, new) == expected(second, numbers)
    assert seen(store, old) == expected(first)
    assert (store.audit(COLLECTION)[0].operation, store.audit(COLLECTION)[0].who) == ("grow", "pipeline")
    again = put(store, pictures, data_version(tmp_path / "third", TAXONOMY, {**LABELS, "item 41": 0}))
    assert seen(store, again)["item 41"][1] == [0]
    assert store.labels(COLLECTION).version == 2  # the older tree is one of its versions


def test_another_tree_is_refused(store: CodeStore, pictures: Pictures, tmp_path: Path) -> None:
    store.create(COLLECTION, Taxonomy("other", (("a", "b"), ("c", "d"))))
    with pytest.raises(TaxohashError, match="seems to be another one"):
        put(store, pictures, data_version(tmp_path / "data", TAXONOMY, LABELS))
    assert not store.generations(COLLECTION)


class Busy:
    """A store to which others write after the first batch: items of it are deleted, or become the API's."""

    def __init__(self, store: CodeStore) -> None:
        self._store = store
        self._batches = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def fill(self, *arguments: Any) -> Written:
        written = self._store.fill(*arguments)
        self._batches += 1
        if self._batches == 1:
            self._store.delete(COLLECTION, ["item 1"])
            self._store.upsert(COLLECTION, [Item("item 2", uri="https://here/2")])
        return written


class Losing:
    """A store that says it took an item and did not, each time."""

    def __init__(self, store: CodeStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def fill(self, collection: str, generation_id: str, batch: list[Item], codes: Any) -> Written:
        kept = [row for row, item in enumerate(batch) if item.id != "item 9"]
        written = self._store.fill(collection, generation_id, [batch[row] for row in kept], codes[kept])
        return Written(written.token, ("added",) * len(batch))
