"""Collections, their taxonomies, and items that come, change and go."""

import time
from dataclasses import replace

import numpy as np
import pytest

from services.codestore import CodeStore, Edit, Item, fingerprint
from services.codestore.collection import LAYOUT
from services.codestore.integrity.verify import verify
from services.codestore.keys import collection_keys, segment_keys
from services.codestore.wire import BLOCK
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy
from tests.support.hostile_ids import HOSTILE_IDS
from tests.support.store_reading import Follower, digest, fields_of
from tests.support.store_scenarios import (
    DIGEST,
    TAXONOMY,
    codes_by_id,
    filled,
    ids_of,
    numbered,
    random_codes,
    ref,
    refused,
    served,
)

pytestmark = pytest.mark.system

GROWN = Taxonomy("products", (("hats", "cap"), *TAXONOMY.paths))


# -- collections -----------------------------------------------------------------------------------


def test_create_is_idempotent_and_refuses_another_taxonomy_or_size(store: CodeStore, name: str) -> None:
    store.upsert(name, numbered(3))
    store.create(name, TAXONOMY, segments=3)
    assert store.taxonomy(name) == TAXONOMY
    assert (store.segments(name), store.count(name)) == (3, 3)
    other = Taxonomy("other", (("a", "b"),))
    refused(store, name, lambda: store.create(name, other, segments=3), f"{other.sha256} is no version.*grow")
    refused(store, name, lambda: store.create(name, TAXONOMY, segments=4), "has segments 3, not 4")


def test_a_collection_that_is_not_there_is_one_line(store: CodeStore, fresh: str) -> None:
    assert not store.exists(fresh)
    for use in (
        lambda: store.taxonomy(fresh),
        lambda: store.upsert(fresh, [Item("a")]),
        lambda: store.snapshot(fresh),
        lambda: list(store.scan(fresh)),
        lambda: store.audit(fresh),
    ):
        with pytest.raises(TaxohashError, match=f"there is no collection '{fresh}'.*create it first"):
            use()


def test_a_collection_of_another_layout_is_refused_in_one_line(
    store: CodeStore, other: CodeStore, name: str
) -> None:
    key = collection_keys(name)[0]
    store.server.command("HSET", key, "layout", LAYOUT + 1, key=key)
    try:
        for use in (lambda: other.count(name), lambda: other.create(name, TAXONOMY, segments=3)):
            with pytest.raises(TaxohashError, match=f"layout {LAYOUT + 1}.* {LAYOUT}.*use") as caught:
                use()
            assert str(caught.value).isprintable()
    finally:
        store.server.command("HSET", key, "layout", LAYOUT, key=key)


def test_a_client_notices_a_collection_that_was_wiped_and_made_anew(
    store: CodeStore, other: CodeStore, name: str
) -> None:
    store.upsert(name, numbered(9))
    assert other.count(name) == 9
    for key in [*collection_keys(name), *(key for s in range(3) for key in segment_keys(name, s))]:
        store.server.command("UNLINK", key, key=key)
    store.create(name, GROWN, segments=2)
    assert other.count(name) == 0
    other.upsert(name, [Item("a", (3,))])
    assert ids_of(store.scan(name)) == ["a"]


def test_a_segment_that_was_lost_is_told(store: CodeStore, name: str) -> None:
    store.upsert(name, numbered(9))
    for key in segment_keys(name, 1):
        store.server.command("UNLINK", key, key=key)
    with pytest.raises(TaxohashError, match="lacks a segment: its data were lost; restore it from a backup"):
        store.count(name)
    with pytest.raises(TaxohashError, match="lacks a segment"):
        store.upsert(name, numbered(9))
    store.server.command("HDEL", collection_keys(name)[0], "incarnation", key=collection_keys(name)[0])
    store.create(name, TAXONOMY, segments=3)  # as new, for the check at the end
    assert store.count(name) == 0


def test_collections_are_listed(store: CodeStore, name: str) -> None:
    found = store.collections()
    assert found is not None
    assert name in found
    assert found == sorted(set(found))


def test_the_keys_of_a_segment_share_a_slot_and_always_exist(store: CodeStore, name: str) -> None:
    def keys() -> set[str]:
        replies = store.server.on_primaries("SCAN", 0, "MATCH", f"taxohash:{{{name}[:}}]*", "COUNT", 100_000)
        return {key.decode() for _, (_cursor, found) in replies for key in found}

    made = {*collection_keys(name), *(key for segment in range(3) for key in segment_keys(name, segment))}
    if store.server.url == "memory://":
        assert all(key.encode() in store.server._keys.values for key in made)  # type: ignore[attr-defined]
        return
    assert keys() == made
    store.upsert(name, numbered(200))
    served(store, name, "g", numbered(400))
    store.delete(name, ids_of(numbered(300)))
    assert keys() == made
    assert {key[key.index("{") : key.index("}") + 1] for key in made} == {
        f"{{{name}}}",
        *(f"{{{name}:{segment}}}" for segment in range(3)),
    }


# -- taxonomies that grow --------------------------------------------------------------------------


def test_labels_keep_their_numbers_while_the_taxonomy_grows(
    store: CodeStore, other: CodeStore, name: str
) -> None:
    assert other.labels(name).total == 3
    served(store, name, "g", numbered(5))
    labels = store.grow(name, GROWN, who="me", why="hats")
    assert labels.number_of(("hats", "cap")) == 3
    assert other.taxonomy(name) == GROWN
    assert store.item(name, "item 1") == Item("item 1", (1,))
    assert (store.audit(name)[0].operation, store.audit(name)[0].who) == ("grow", "me")
    assert store.grow(name, GROWN).version == 2
    store.create(name, TAXONOMY, segments=3)  # a version of it
    assert store.published(name) == ref("g")


def test_a_client_that_has_not_seen_a_growth_takes_the_new_label(
    store: CodeStore, other: CodeStore, name: str
) -> None:
    other.upsert(name, [Item("old", (2,))])
    store.grow(name, GROWN)
    other.upsert(name, [Item("new", (3,))])
    assert store.item(name, "new") == Item("new", (3,))
    refused(store, name, lambda: other.upsert(name, [Item("none", (4,))]), "label 4: the collection has no")


def test_two_growths_at_once_are_told(store: CodeStore, other: CodeStore, name: str) -> None:
    opened = other._open(name)
    store.grow(name, GROWN)
    call = opened.call("grow", opened.labels.to_json(), "{}", "", "")
    refused(store, name, lambda: other.server.call(call), "was changed meanwhile: look, then grow it again")


# -- items -----------------------------------------------------------------------------------------


def test_items_come_back_as_they_were_put(store: CodeStore, name: str) -> None:
    items = [
        Item(
            "a/ü 1.png",
            (2,),
            uri="s3://bucket/ü?x=1",
            picture=DIGEST,
            thumbnail=DIGEST[::-1],
            metadata={"price": 9.5, "in stock": True, "ü": "ÿ\u00a0", "count": -(2**63) + 1},
            tags=("new", "winter coat"),
            pixels=DIGEST[:16],
        ),
        Item("plain", (0,), pixels=DIGEST[16:32]),
        Item("two things", (2, 0)),
        Item("nothing", (), uri="s3://bucket/2"),
    ]
    assert store.upsert(name, items).results == ("added",) * 4
    assert store.items(name, ids_of(items)) == items
    assert sorted(ids_of(store.scan(name))) == sorted(ids_of(items))
    found = store.item(name, "a/ü 1.png")
    assert found is not None
    assert (found.origin, found.metadata["in stock"]) == ("api", True)
    assert store.items(name, ["absent", "plain"]) == [None, items[1]]
    assert store.items(name, []) == []


def test_an_id_may_be_any_text(store: CodeStore, name: str) -> None:
    items = [
        Item(item_id, (number % 3,), f"file:///{number}", tags=(f"tag {number}",))
        for number, item_id in enumerate(HOSTILE_IDS)
    ]
    codes = random_codes(len(items))
    store.begin(name, ref("g"))
    assert store.upsert(name, items, {"g": codes}).count("added") == len(items)
    assert store.upsert(name, items).count("replaced") == len(items)
    assert store.items(name, HOSTILE_IDS) == items
    assert codes_by_id(store, name, "g") == {
        item_id: codes[number].tobytes() for number, item_id in enumerate(HOSTILE_IDS)
    }
    assert {item.id for item in store.scan(name)} == set(HOSTILE_IDS)
    assert store.delete(name, HOSTILE_IDS[::2]).count("deleted") == len(HOSTILE_IDS[::2])
    assert [item is None for item in store.items(name, HOSTILE_IDS)] == [
        number % 2 == 0 for number in range(len(HOSTILE_IDS))
    ]


def test_a_data_set_may_have_any_id_too_and_it_stays_deleted(store: CodeStore, name: str) -> None:
    items = [Item(item_id, (0,)) for item_id in HOSTILE_IDS]
    filled(store, name, "g", items)
    assert store.delete(name, HOSTILE_IDS).count("deleted") == len(items)
    store.begin(name, ref("h"))
    assert store.fill(name, "h", items).results == ("deleted",) * len(items)
    assert store.upsert(name, items).count("added") == len(items)
    assert store.state(name).deleted == 0


def test_an_item_put_again_is_replaced_whole(store: CodeStore, name: str) -> None:
    store.upsert(
        name, [Item("a", (0, 1), "uri", DIGEST, DIGEST, {"x": 1}, ("tag",)), Item("b", (1,), picture=DIGEST)]
    )
    assert store.upsert(name, [Item("a", (1,))]).results == ("replaced",)
    assert store.items(name, ["a", "b"]) == [Item("a", (1,)), Item("b", (1,), picture=DIGEST)]
    store.upsert(name, [Item("b", (2, 1)), Item("a", ())])
    assert store.items(name, ["a", "b"]) == [Item("a", ()), Item("b", (2, 1))]
    assert store.count(name) == 2


def test_an_item_tells_when_it_was_changed(store: CodeStore, name: str) -> None:
    before = int(time.time())
    store.upsert(name, [Item("a", (0,), updated=1)])
    item = store.item(name, "a")
    assert item is not None
    assert before - 1 <= item.updated <= time.time() + 1


def test_a_refused_item_refuses_all(store: CodeStore, name: str) -> None:
    items = [*numbered(2_000), Item("bad", (0, 3))]
    refused(store, name, lambda: store.upsert(name, items), "'bad' has label 3: the collection has no label")


def test_deletes_say_what_was_there(store: CodeStore, name: str) -> None:
    store.upsert(name, numbered(3))
    written = store.delete(name, ["item 1", "nobody", "item 0"])
    assert written.results == ("deleted", "absent", "deleted")
    assert ids_of(store.scan(name)) == ["item 2"]
    assert store.delete(name, ["item 1"]).results == ("absent",)
    assert store.state(name).deleted == 0  # no data set has it: there is nothing to remember


def test_one_label_several_and_none_in_a_snapshot(store: CodeStore, name: str) -> None:
    labels = [tuple(np.random.default_rng(i).permutation(3)[: i % 4].tolist()) for i in range(3_000)]
    items = [Item(f"item {number}", own) for number, own in enumerate(labels)]
    store.begin(name, ref("g"))
    store.upsert(name, items, {"g": random_codes(len(items))})
    store.upsert(name, [Item(f"item {number}", (1,)) for number in range(50)])  # sets that are no more
    snapshot = store.snapshot(name, "g")
    numbers = [int(item_id.split()[1]) for item_id in snapshot.ids]
    assert sorted(numbers) == list(range(3_000))
    assert [tuple(snapshot.labels[row].tolist()) for row in range(len(numbers))] == [
        (1,) if number < 50 else labels[number] for number in numbers
    ]


# -- pictures --------------------------------------------------------------------------------------


def test_pictures_are_known_by_who_names_them(store: CodeStore, name: str) -> None:
    digests = [f"{number:064x}" for number in range(200)]
    data = [Item(f"item {i}", thumbnail=digest) for i, digest in enumerate(digests[:100])]
    served(store, name, "g", data)
    store.begin(name, ref("h"))
    store.fill(name, "h", [Item("item 0", thumbnail=digests[150])])  # in that generation alone
    store.seal(name, "h")
    store.upsert(name, [Item("api", picture=digests[160], thumbnail=digests[1])], {"g": random_codes(1)})
    assert store.named_pictures(name, digests) == {*digests[:100], digests[150], digests[160]}
    assert store.pictures_of(name, ["item 0", "api"]) == {digests[0], digests[150], digests[160], digests[1]}
    store.delete(name, ["item 0", "item 1", "item 2"])
    assert store.named_pictures(name, digests) == {digests[1], *digests[3:100], digests[160]}
    (item,) = store.held_items(name, ["api"], "g")
    assert item is not None
    assert (item.item.picture, item.code.tobytes()) == (digests[160], codes_by_id(store, name, "g")["api"])
    (item,) = store.held_items(name, ["api"], "h")
    assert item is not None
    assert (item.code.size, item.is_pictured) == (0, True)
    assert store.held_items(name, ["item 0", "item 50"], "h") == [None, None]


# -- edits -----------------------------------------------------------------------------------------


def test_labels_and_tags_are_changed_alone(store: CodeStore, other: CodeStore, name: str) -> None:
    """Of items of a data set and of the API, by two clients in turn: codes stay, and a later data version changes nothing of it."""
    items = [Item(f"item {number}", (0,), uri="u", tags=("old",)) for number in range(200)]
    served(store, name, "one", items)
    before = codes_by_id(store, name)
    edits = [Edit(item.id, (1, 2), None) for item in items[:100]] + [
        Edit(item.id, None, ()) for item in items[50:]
    ]
    for client, some in ((store, edits[:100]), (other, edits[100:])):
        assert set(client.edit(name, "one", some).results) == {"replaced"}
    assert store.edit(name, "one", [Edit("nobody", ())]).results == ("absent",)
    filled(store, name, "two", [Item(item.id, (0,), tags=("late",)) for item in items], seed=1)
    for generation in ("one", "two"):
        for number, item in enumerate(store.items(name, ids_of(items), generation)):
            assert item is not None
            assert item.labels == ((1, 2) if number < 100 else (0,))
            assert item.tags == (("old",) if number < 50 else ())
            assert (item.uri, item.origin) == ("u", "api")
    assert codes_by_id(store, name) == before


def test_a_follower_knows_the_fingerprint_of_each_picture_as_its_generation_has_it(
    store: CodeStore, name: str
) -> None:
    """Two data versions have other pictures under one id, one of them is the API's by now; some items have none."""

    def known(generation: str) -> dict[str, int]:
        return {item: row[4] for item, row in Follower(store, name, generation).catch_up().items()}

    before = [Item(f"n {row}", uri="u", pixels=f"{row:02x}" * 8) for row in range(200)]
    after = [replace(item, pixels=f"{row + 7:02x}" * 8) for row, item in enumerate(before)]
    filled(store, name, "old", [*before, Item("bare")])
    filled(store, name, "new", [*after[:100], *before[100:], Item("bare")])
    followed = Follower(store, name, "new")
    wanted = {item.id: fingerprint(item.pixels) for item in [*after[:100], *before[100:]]} | {"bare": 0}
    assert {item: row[4] for item, row in followed.catch_up().items()} == wanted
    assert known("old") == {item.id: fingerprint(item.pixels) for item in before} | {"bare": 0}
    assert set(wanted.values()) == set(range(64))
    store.upsert(name, [replace(before[3], pixels="fe" * 8), replace(before[150], pixels="")])
    store.delete(name, ["n 4"])
    wanted |= {"n 3": fingerprint("fe"), "n 150": 0}
    del wanted["n 4"]
    assert {item: row[4] for item, row in followed.catch_up().items()} == known("new") == wanted
    store.publish(name, "new")
    store.discard(name, "old")
    store.gc(name)  # what the one generation says becomes the catalogue's, rows are moved
    assert {item: row[4] for item, row in followed.catch_up().items()} == known("new") == wanted


def test_blocks_of_before_there_were_fingerprints_are_read_and_written(store: CodeStore, name: str) -> None:
    items = [Item(f"n {row}", uri="u", pixels=f"{row:02x}" * 8) for row in range(200)]
    filled(store, name, "g", items)
    for segment in range(3):
        key = segment_keys(name, segment)[0]
        fields = fields_of(store, key)
        blocks = {field: value for field, value in fields.items() if field[:1] == b"c"}
        cut = {field: value[: 9 * BLOCK] for field, value in blocks.items()}
        total = int(fields[b"sum:catalog"]) + sum(
            digest(field, cut[field]) - digest(field, value) for field, value in blocks.items()
        )
        flat = [part for pair in cut.items() for part in pair]
        store._connection.command("HSET", key, "sum:catalog", total % 2**48, *flat, key=key)
    assert not verify(store, name).findings
    follower = Follower(store, name, "g")
    assert {row[4] for row in follower.catch_up().values()} == {0}
    store.upsert(name, [items[0]])
    told = {item: row[4] for item, row in follower.catch_up().items() if row[4]}
    assert told == {"n 0": fingerprint(items[0].pixels)}
    store.upsert(name, items)
    told = {item: row[4] for item, row in follower.catch_up().items()}
    assert told == {item.id: fingerprint(item.pixels) for item in items}
