"""Bad input of every kind: one clear line, and nothing is written."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from services.codestore import CodeStore, GenerationRef, Item, WriteId
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy
from tests.support.store_scenarios import DIGEST, filled, numbered, random_codes, ref, refused

pytestmark = pytest.mark.system

Attempt = Callable[[CodeStore, str], object]

GOOD = Item("good", (0,))
NAN = float("nan")


def item(**changes: Any) -> Attempt:
    """A good item and a bad one."""
    return lambda store, name: store.upsert(name, [GOOD, Item(**{"id": "bad", **changes})])


def upsert(items: Any, codes: Any = None) -> Attempt:
    return lambda store, name: store.upsert(name, items, codes)


def put(ids: Any, codes: Any, revisions: Any = None, generation: Any = "building") -> Attempt:
    return lambda store, name: store.put_codes(name, generation, ids, codes, revisions)


def fill(items: Any, codes: Any = None, generation: Any = "building") -> Attempt:
    return lambda store, name: store.fill(name, generation, items, codes)


TWO = random_codes(2)
ITEMS = {
    "an empty id": (item(id=""), "between 1 and 1024"),
    "a long id": (item(id="ü" * 513), "has 1026 bytes"),
    "a surrogate in an id": (item(id="a\ud800"), "lone surrogate"),
    "a dot as id": (item(id=".."), "cannot stand in an address"),
    "a number as id": (item(id=7), "is not a string"),
    "an unknown label": (item(labels=(3,)), "'bad' has label 3: the collection has no label of this number"),
    "a negative label": (item(labels=(-1,)), "label -1"),
    "a label beyond int32": (item(labels=(2**31,)), "label 2147483648"),
    "a truth as label": (item(labels=(True,)), "label True"),
    "half a label": (item(labels=(0.5,)), "label 0.5"),
    "NaN as label": (item(labels=(NAN,)), "label nan"),
    "labels twice": (item(labels=(1, 1)), "give each once"),
    "a list of labels": (item(labels=[1]), "are not a tuple"),
    "a label by itself": (item(labels=1), "are not a tuple"),
    "too many labels": (item(labels=tuple(range(257))), "at most 256"),
    "a long uri": (item(uri="x" * 2_001), "2001 characters"),
    "a line break in a uri": (item(uri="a\nb"), "control character"),
    "a uri of bytes": (item(uri=b"a"), "is not a string"),
    "no uri": (item(uri=None), "is not a string"),
    "a picture of bytes": (item(picture=b"\xff\xd8"), "give the sha256"),
    "no picture": (item(picture=None), "give the sha256"),
    "half a digest": (item(picture=DIGEST[:32]), "give the sha256"),
    "a digest in capitals": (item(thumbnail=DIGEST.upper()), "give the sha256"),
    "an empty tag": (item(tags=("",)), "between 1 and 64"),
    "a tab in a tag": (item(tags=("a\tb",)), "control character"),
    "a tag by itself": (item(tags="sale"), "are not a tuple"),
    "tags twice": (item(tags=("a", "a")), "give each once"),
    "too many tags": (item(tags=tuple(map(str, range(65)))), "at most 64"),
    "a number as tag": (item(tags=(1,)), "is not a string"),
    "oversized metadata": (item(metadata={"a": "x" * 4_096}), "takes 4105 bytes: keep it to 4096"),
    "many small metadata": (item(metadata={f"key {i}": i for i in range(500)}), "keep it to 4096"),
    "NaN in metadata": (item(metadata={"a": NAN}), "is nan: give a finite number"),
    "infinity in metadata": (item(metadata={"a": float("-inf")}), "finite number"),
    "nothing in metadata": (item(metadata={"a": None}), "is a NoneType"),
    "a list in metadata": (item(metadata={"a": [1]}), "is a list"),
    "a number that no client can read": (item(metadata={"a": 2**63}), "more than 64 bits"),
    "a number as key": (item(metadata={1: "a"}), "is not a string"),
    "an empty key": (item(metadata={"": "a"}), "between 1 and 64"),
    "a surrogate in metadata": (item(metadata={"a": "\udcff"}), "control character"),
    "metadata that are none": (item(metadata=[("a", 1)]), "metadata of item 'bad' is a list"),
    "metadata as an array": (item(metadata=np.zeros(3)), "is a ndarray"),
    "no metadata": (item(metadata=None), "is a NoneType"),
    "an empty batch": (upsert([]), "the batch has no item"),
    "an item twice": (upsert([GOOD, GOOD]), "'good' is given twice"),
    "an item that is none": (upsert([GOOD, "good"]), "is a str: give an Item"),
    "an item by itself": (upsert(GOOD), "items are a Item: give a list"),
    "a text for items": (upsert("good"), "items are a str"),
    "nothing for items": (upsert(None), "items are a NoneType"),
}  # fmt: skip
CODES = {
    "too few codes": (upsert([GOOD], {"building": random_codes(0)}), r"uint8\[1, 2\]"),
    "codes of another width": (upsert([GOOD], {"building": random_codes(1, 24)}), r"uint8\[1, 3\]: 12 bits need"),
    "padding": (upsert([GOOD], {"building": np.array([[0, 1]], np.uint8)}), "bits set beyond the first 12"),
    "codes of an unknown generation": (upsert([GOOD], {"nobody": random_codes(1)}), "no generation 'nobody'"),
    "codes without a generation": (upsert([GOOD], random_codes(1)), "give them by generation"),
    "floats": (upsert([GOOD], {"building": np.full((1, 2), NAN)}), "are float64"),
    "good codes beside bad ones": (
        upsert([GOOD], {"building": random_codes(1), "sealed": random_codes(2)}), "codes of generation 'sealed'"
    ),
    "ids without codes": (put(["item 0", "item 1"], random_codes(1)), r"uint8\[1, 2\]: 12 bits need uint8\[2, 2\]"),
    "codes in one row": (put(["item 0", "item 1"], TWO.ravel()), r"uint8\[4\]"),
    "codes as rows of any length": (put(["item 0", "item 1"], [[1], [1, 2]]), "are object"),
    "signed codes": (put(["item 0", "item 1"], TWO.astype(np.int8)), "are int8"),
    "no codes": (put([], random_codes(0)), "the batch has no item"),
    "ids twice": (put(["item 0", "item 0"], TWO), "given twice"),
    "a text for ids": (put("ab", TWO), "are the text 'ab': give a list of ids"),
    "a number for ids": (put(2, TWO), "are a int: give a list of ids"),
    "an unknown generation": (put(["item 0", "item 1"], TWO, None, "nobody"), r"it has: sealed, building.*begin it"),
    "a generation that is none": (put(["item 0", "item 1"], TWO, None, "a b"), "no generation 'a b'"),
    "too few revisions": (put(["item 0", "item 1"], TWO, [1]), r"2 ids came with revisions of shape \(1,\)"),
    "negative revisions": (put(["item 0", "item 1"], TWO, [1, -1]), "not all 0 to 2"),
    "revisions that are too large": (put(["item 0", "item 1"], TWO, [1, 2**32]), "not all 0 to 2"),
    "half revisions": (put(["item 0", "item 1"], TWO, [1, 1.5]), "not all 0 to 2"),
    "NaN as revision": (put(["item 0", "item 1"], TWO, [1, NAN]), "not all 0 to 2"),
    "text as revisions": (put(["item 0", "item 1"], TWO, ["1", "2"]), "not all 0 to 2"),
    "a sealed generation filled": (fill([GOOD], None, "sealed"), "sealed is sealed: begin another one"),
    "an unknown generation filled": (fill([GOOD], None, "nobody"), "no generation 'nobody'"),
    "nothing filled": (fill([]), "the batch has no item"),
    "an unknown label filled": (fill([GOOD, Item("bad", (9,))]), "'bad' has label 9"),
    "filled with too many codes": (fill([GOOD], TWO), r"uint8\[2, 2\]: 12 bits need uint8\[1, 2\]"),
    "filled with padding": (fill([GOOD], np.array([[0, 15]], np.uint8)), "beyond the first 12"),
}  # fmt: skip
CALLS = {
    "no items to delete": (lambda s, n: s.delete(n, []), "the batch has no item"),
    "an id to delete by itself": (lambda s, n: s.delete(n, "item 0"), "give a list of ids"),
    "a write that is none": (lambda s, n: s.upsert(n, [GOOD], write=("import", 7)), "is a tuple: give a WriteId"),
    "bits of another hasher": (lambda s, n: s.begin(n, ref("sealed", 16)), "known as 12 .*, not 16 "),
    "no bits": (lambda s, n: s.begin(n, ref("x", 0)), "has 0 bits: choose 1 to 4096"),
    "too many bits": (lambda s, n: s.begin(n, ref("x", 4_097)), "has 4097 bits"),
    "half bits": (lambda s, n: s.begin(n, GenerationRef("x", 12.0, "")), "has 12.0 bits"),  # type: ignore[arg-type]
    "bits as text": (lambda s, n: s.begin(n, GenerationRef("x", "12", "")), "has 12 bits"),  # type: ignore[arg-type]
    "another taxonomy": (lambda s, n: s.begin(n, GenerationRef("x", 12, "0" * 64)), "0{64} is no version of"),
    "a generation id that is none": (lambda s, n: s.begin(n, ref("a:b")), "generation id 'a:b' is no name"),
    "an unknown generation to seal": (lambda s, n: s.seal(n, "nobody"), "no generation 'nobody'"),
    "too few members": (lambda s, n: s.seal(n, "building", members=7), "has 5 items of its data version, not 7"),
    "an unknown generation to publish": (lambda s, n: s.publish(n, "nobody"), "no generation 'nobody'"),
    "a generation that is being built": (lambda s, n: s.publish(n, "building"), "building is not sealed: seal it"),
    "codes that lack": (lambda s, n: s.publish(n, "sealed"), "'sealed' lacks the codes of 1 of the 6 items"),
    "nothing to roll back to": (lambda s, n: s.rollback(n), "nothing published"),
    "an unknown generation to discard": (lambda s, n: s.discard(n, "nobody"), "no generation nobody"),
    "an unknown generation to read": (lambda s, n: s.snapshot(n, "nobody"), "no generation 'nobody'"),
    "nothing published to read": (lambda s, n: s.snapshot(n), "no published generation: publish one first"),
    "items of an unknown generation": (lambda s, n: s.items(n, ["item 0"], "nobody"), "no generation nobody"),
    "an unknown generation that lacks": (lambda s, n: list(s.lacking(n, "nobody")), "no generation nobody"),
    "an unknown generation to count": (lambda s, n: s.count(n, "nobody"), "no generation 'nobody'"),
    "a lease in no name": (lambda s, n: s.lease(n, "sealed", "a b", 9), "process 'a b' is no name"),
    "a lease for NaN": (lambda s, n: s.lease(n, "sealed", "pod", NAN), "for nan seconds"),
    "a lease for less than nothing": (lambda s, n: s.lease(n, "sealed", "pod", -1), "for -1 seconds"),
    "a wait for NaN": (lambda s, n: s.publish(n, "sealed", wait=NAN), "cannot wait nan seconds"),
    "segments of another number": (lambda s, n: s.create(n, s.taxonomy(n), 4), "has segments 3, not 4"),
    "no segments": (lambda s, n: s.create(n, s.taxonomy(n), 0), "cannot have 0 segments"),
    "too many segments": (lambda s, n: s.create(n, s.taxonomy(n), 4_097), "cannot have 4097 segments"),
    "levels of other names": (
        lambda s, n: s.grow(n, Taxonomy("p", (("a", "b"),), ("x", "y"))), "has the levels|keeps 0 of the 3 labels"
    ),
    "another taxonomy to grow by": (lambda s, n: s.grow(n, Taxonomy("p", (("a", "b"),))), "keeps 0 of the 3 labels"),
}  # fmt: skip
ALL: dict[str, tuple[Attempt, str]] = {**ITEMS, **CODES, **CALLS}


@pytest.fixture
def prepared(store: CodeStore, name: str) -> str:
    """A collection with a sealed generation that lacks a code, and one that is being built."""
    filled(store, name, "sealed", numbered(5))
    store.begin(name, ref("building"))
    store.fill(name, "building", numbered(5), random_codes(5))
    store.upsert(name, [Item("mine", uri="u")], {"building": random_codes(1)})
    return name


def test_bad_input_is_one_clear_line_and_nothing_is_written(store: CodeStore, prepared: str) -> None:
    wrong = []
    for what, (attempt, message) in ALL.items():
        try:
            refused(store, prepared, partial(attempt, store, prepared), message)
        except (Exception, pytest.fail.Exception) as error:
            wrong.append(f"{what}: {type(error).__name__}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("writer", ["", "x" * 101, "a\nb", "\ud800", 7, None])
def test_names_of_writes(writer: Any) -> None:
    with pytest.raises(TaxohashError, match="is no name: use 1 to 100 characters"):
        WriteId(writer, 1)


@pytest.mark.parametrize("number", [-1, 2**53, 1.0, NAN, True, "1", None])
def test_numbers_of_writes(number: Any) -> None:
    with pytest.raises(TaxohashError, match="is no number: give 0 to"):
        WriteId("w", number)


@pytest.mark.parametrize("collection", ["", "a b", "a}", "{a", "ü", "a" * 101, "a\n", None, 7])
def test_names_of_collections(store: CodeStore, collection: Any) -> None:
    for use in (
        lambda: store.create(collection, Taxonomy("p", (("a", "b"),))),
        lambda: store.upsert(collection, [GOOD]),
        lambda: store.snapshot(collection),
        lambda: store.lease(collection, "g", "p", 1),
        lambda: store.subscribe(collection),
        lambda: store.exists(collection),
    ):
        with pytest.raises(TaxohashError, match="is no name: use 1 to 100 letters") as caught:
            use()
        assert str(caught.value).isprintable()
