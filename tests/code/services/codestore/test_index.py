"""Ids that the index cannot tell from each other, by functions whose hash is made short for the test."""

import hashlib

import pytest

from services.codestore import CodeStore, Item, functions
from services.codestore.memory import MemoryConnection
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

TAXONOMY = Taxonomy("products", (("tops", "shirt"), ("shoes", "boot")))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> CodeStore:
    """A store whose index goes by 8 bits of the SHA-1."""
    long = "tonumber(string.sub(hex, 1, 8), 16), tonumber(string.sub(hex, 9, 16), 16), tonumber(string.sub(hex, 17, 24), 16)"
    assert long in functions.SOURCE
    short = "0, 0, tonumber(string.sub(hex, 1, 2), 16)"
    monkeypatch.setattr(functions, "SOURCE", functions.SOURCE.replace(long, short))
    made = CodeStore(MemoryConnection())
    made.create("c", TAXONOMY, segments=1)
    return made


def alike() -> tuple[str, str]:
    """Two long ids with the same first 8 bits."""
    first: dict[str, str] = {}
    for number in range(300):
        item_id = f"a long id {number:05d}"
        start = hashlib.sha1(item_id.encode()).hexdigest()[:2]
        if start in first:
            return first[start], item_id
        first[start] = item_id
    raise AssertionError("no two of 300 are alike")


def test_an_id_that_cannot_be_told_from_another_is_refused_and_never_taken_for_it(store: CodeStore) -> None:
    one, other = alike()
    with pytest.raises(TaxohashError, match="has the SHA-1 of another one"):
        store.upsert("c", [Item(one), Item(other)])
    assert store.count("c") == 0
    store.upsert("c", [Item(one, (1,))])
    before = store.tallies("c")
    with pytest.raises(TaxohashError, match="choose another id"):
        store.upsert("c", [Item(other)])
    assert store.item("c", other) is None
    assert store.delete("c", [other]).results == ("absent",)
    assert [(tally.items, tally.sums) for tally in store.tallies("c")] == [
        (tally.items, tally.sums) for tally in before
    ]
    assert store.item("c", one) == Item(one, (1,))
