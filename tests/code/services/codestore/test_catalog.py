"""Items of the catalogue, on a store in memory."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from services.codestore import CodeStore, Edit, Item
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


def codes(*values: int) -> npt.NDArray[np.uint8]:
    return np.array([[value, 0] for value in values], np.uint8)


def digest(letter: str) -> str:
    return letter * 64


@pytest.fixture
def pictured() -> Iterator[CodeStore]:
    """A published generation `old` and a sealed `new` that has another picture of item b, and items of the API."""
    with CodeStore.connect("memory://") as store:
        store.create("c", TAXONOMY, segments=2)
        for name, thumbnail in (("old", digest("b")), ("new", digest("c"))):
            store.begin("c", GenerationRef(name, 16, TAXONOMY.sha256))
            items = [Item("a", thumbnail=digest("a")), Item("b", thumbnail=thumbnail)]
            store.fill("c", name, items, codes(1, 2))
            store.seal("c", name)
            store.publish("c", name)
        api = [Item("p", picture=digest("d"), thumbnail=digest("e")), Item("q", picture=digest("d"))]
        store.upsert("c", api, {"new": codes(3, 4)})
        yield store


def test_a_member_is_told_with_its_code(pictured: CodeStore) -> None:
    found = pictured.held_items("c", ["a", "nobody", "p"], "new")
    assert [held and held.item.id for held in found] == ["a", None, "p"]
    assert [held.code.tolist() for held in found if held] == [[1, 0], [3, 0]]
    (lacking,) = pictured.held_items("c", ["p"], "old")
    assert lacking is not None
    assert (lacking.code.size, lacking.is_pictured) == (0, True)
    pictured.upsert("c", [Item("bare")], {"new": codes(5)})
    (bare,) = pictured.held_items("c", ["bare"], "old")
    assert bare is not None
    assert (bare.code.size, bare.is_pictured) == (0, False)


def test_an_edit_changes_what_it_names_in_every_live_generation_and_leaves_the_rest(
    pictured: CodeStore,
) -> None:
    edits = [Edit("p", labels=(0,)), Edit("q", tags=("x",)), Edit("nobody", tags=()), Edit("b", (0,), ("y",))]
    written = pictured.edit("c", "new", edits)
    assert written.results == ("replaced", "replaced", "absent", "replaced")
    held = pictured.held_items("c", ["p", "q", "b"], "new")
    assert [own.code.tolist() for own in held if own] == [[3, 0], [4, 0], [2, 0]]
    for generation in ("new", "old"):
        p, q, b = pictured.items("c", ["p", "q", "b"], generation)
        assert p == Item("p", (0,), picture=digest("d"), thumbnail=digest("e"))
        assert q == Item("q", picture=digest("d"), tags=("x",))
        assert b == Item(
            "b", (0,), thumbnail=digest("c"), tags=("y",)
        )  # as the generation has it that is named
    assert b is not None
    assert b.origin == "api"  # a later data version leaves it as it is
    assert pictured.edit("c", "new", [Edit("p", labels=()), Edit("q", tags=())]).count("replaced") == 2
    assert [own and (own.labels, own.tags) for own in pictured.items("c", ["p", "q"])] == [((), ()), ((), ())]


def test_what_is_no_edit_is_refused_in_one_line(pictured: CodeStore) -> None:
    before = pictured.items("c", ["p"], "new")
    for edits, sentence in (
        ([Edit("p")], "edit of item 'p' changes nothing: give labels, tags or both"),
        ([Item("p")], "is a Item: give an Edit"),
        ("p", "edits are a str: give a list of edits"),
        ([Edit("p", (9,))], "has label 9"),
        ([Edit("p", tags=("",))], "has 0 characters"),
        ([Edit("p", ()), Edit("p", ())], "is given twice"),
        ([], "the batch has no item"),
    ):
        with pytest.raises(TaxohashError, match=sentence):
            pictured.edit("c", "new", edits)  # type: ignore[arg-type]
    with pytest.raises(TaxohashError, match="no generation other"):
        pictured.edit("c", "other", [Edit("p", ())])
    assert pictured.items("c", ["p"], "new") == before


def test_pictures_of_items_are_those_that_any_generation_names(pictured: CodeStore) -> None:
    assert pictured.pictures_of("c", ["a", "b"]) == {digest("a"), digest("b"), digest("c")}
    assert pictured.pictures_of("c", ["p", "nobody"]) == {digest("d"), digest("e")}
    assert pictured.pictures_of("c", ["nobody"]) == set()


def test_pictures_are_named_as_long_as_an_item_has_them(pictured: CodeStore) -> None:
    every = {digest(letter) for letter in "abcdef"}
    assert pictured.named_pictures("c", every) == every - {digest("f")}
    assert pictured.named_pictures("c", {digest("f")}) == pictured.named_pictures("c", ()) == set()
    pictured.delete("c", ["p", "b"])
    assert pictured.named_pictures("c", every) == {digest("a"), digest("d")}
    pictured.upsert("c", [Item("q", picture=digest("f"))])
    assert pictured.named_pictures("c", every) == {digest("a"), digest("f")}


def test_pictures_are_looked_for_in_every_block(pictured: CodeStore) -> None:
    many = [Item(f"item {number}", picture=f"{number:064x}") for number in range(1500)]
    pictured.upsert("c", many)
    assert pictured.named_pictures("c", [item.picture for item in many]) == {item.picture for item in many}
    pictured.delete("c", [item.id for item in many[::2]])
    left = {item.picture for item in many[1::2]}
    assert pictured.named_pictures("c", [item.picture for item in many]) == left
    pictured.gc("c")
    assert pictured.named_pictures("c", [item.picture for item in many]) == left


def test_an_item_is_known_by_all_looks_that_any_generation_has_of_it() -> None:
    with CodeStore.connect("memory://") as store:
        store.create("c", TAXONOMY, segments=2)
        for name, letter in (("old", "1"), ("new", "2")):
            store.begin("c", GenerationRef(name, 16, TAXONOMY.sha256))
            store.fill("c", name, [Item("a", thumbnail=digest(letter), pixels=letter * 16)], codes(1))
            store.seal("c", name)
        store.upsert("c", [Item("bare")])
        looks = {look for item in store.versions("c", ["a", "bare", "nobody"]) for look in item.looks}
        assert looks == {digest("1"), digest("2"), "1" * 16, "2" * 16}
        assert store.pictures_of("c", ["a", "bare", "nobody"]) == {digest("1"), digest("2")}
        assert store.versions("c", ["nobody"]) == []
