"""Items of the catalogue, on a store in memory."""

import pytest

from services.codestore import CodeStore, Item
from services.codestore.records import GenerationRef
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

TAXONOMY = Taxonomy("t", (("a", "b"),))

# With any one letter in front, what the segment keeps of itself.
_OWN = [
    "incarnation",
    "generations",
    "position",
    "stamp",
    "open",
    "alive",
    "deleted",
    "sum:names",
    "members:",
    "coded:",
]


@pytest.mark.parametrize("name", [*_OWN, *(name[1:] for name in _OWN), "\0", "=", "n0", "c0", "g:0"])
def test_an_id_never_meets_what_the_segment_keeps_of_itself(name: str) -> None:
    with CodeStore.connect("memory://") as store:
        store.create("c", TAXONOMY, segments=1)
        item = Item(name, (0,), tags=("x",))
        assert store.upsert("c", [item]).results == ("added",)
        assert store.upsert("c", [item]).results == ("replaced",)
        assert store.item("c", name) == item
        assert list(store.scan("c")) == [item]
        assert store.delete("c", [name]).results == ("deleted",)
        assert store.count("c") == 0


@pytest.mark.parametrize("name", ["names", "catalog", "deleted"])
def test_a_generation_is_not_called_as_a_checksum_of_the_catalogue(name: str) -> None:
    with CodeStore.connect("memory://") as store:
        store.create("c", TAXONOMY, segments=1)
        with pytest.raises(TaxohashError, match=f"{name!r} is a word of the store"):
            store.begin("c", GenerationRef(name, 8, TAXONOMY.sha256))
