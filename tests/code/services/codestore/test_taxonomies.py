"""A collection is made for a data set's taxonomy or grown by it, also after an interruption."""

from collections.abc import Iterator

import pytest

from services.codestore import CodeStore
from services.codestore.memory import MemoryConnection
from services.codestore.taxonomies import numbers_of, prepare
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy
from tests.support.tiny import TAXONOMY

COLLECTION = "catalog"
GROWN = Taxonomy("tiny", (("animal", "ant"), *TAXONOMY.paths), source="here", licence="ours")


@pytest.fixture
def store() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as made:
        yield made


def test_it_is_made_once_and_left_as_it_is(store: CodeStore) -> None:
    prepare(store, COLLECTION, TAXONOMY)
    before = store.state(COLLECTION)
    prepare(store, COLLECTION, TAXONOMY)
    prepare(store, COLLECTION, GROWN)
    assert store.state(COLLECTION) == before
    assert store.labels(COLLECTION).version == 1


def test_one_of_other_segments_is_taken_as_it_is(store: CodeStore) -> None:
    store.create(COLLECTION, TAXONOMY, segments=3)
    prepare(store, COLLECTION, TAXONOMY)
    assert store.segments(COLLECTION) == 3


def test_numbers_follow_the_versions(store: CodeStore) -> None:
    assert numbers_of(store, COLLECTION, TAXONOMY, "me").tolist() == [0, 1, 2]
    assert sorted(numbers_of(store, COLLECTION, GROWN, "me").tolist()) == [0, 1, 2, 3]
    assert numbers_of(store, COLLECTION, TAXONOMY, "me").tolist() == [0, 1, 2]
    assert store.labels(COLLECTION).version == 2
    (grown,) = (entry for entry in store.audit(COLLECTION) if entry.operation == "grow")
    assert grown.who == "me"


@pytest.mark.parametrize(
    "other", [Taxonomy("other", (("a", "b"), ("c", "d"))), Taxonomy("other", (("a",), ("b",)))]
)
def test_another_tree_is_refused(store: CodeStore, other: Taxonomy) -> None:
    store.create(COLLECTION, other)
    for refused in (
        lambda: prepare(store, COLLECTION, TAXONOMY),
        lambda: numbers_of(store, COLLECTION, TAXONOMY, ""),
    ):
        with pytest.raises(TaxohashError, match="make another"):
            refused()
    assert store.labels(COLLECTION).version == 1


def test_one_that_was_begun_and_not_made_to_its_end_is_made(
    store: CodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as interrupted:

        def stop(*_arguments: object) -> None:
            raise KeyboardInterrupt

        interrupted.setattr(MemoryConnection, "call_all", stop)
        interrupted.setattr(MemoryConnection, "call", lambda self, call: self._run(call))
        with pytest.raises(KeyboardInterrupt):
            prepare(store, COLLECTION, TAXONOMY)
    prepare(store, COLLECTION, TAXONOMY)
    assert store.count(COLLECTION) == 0
