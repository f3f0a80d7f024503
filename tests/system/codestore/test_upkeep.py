"""What gc gives back: generations, items, rows; and that a store does not grow with churn."""

import pytest

from services.codestore import CodeStore, Item
from services.codestore.keys import segment_keys
from tests.support.store_reading import fields_of
from tests.support.store_scenarios import codes_by_id, ids_of, numbered, random_codes, ref, served

pytestmark = pytest.mark.system


def bytes_of(store: CodeStore, name: str) -> int:
    """Of fields and values in all segments."""
    return sum(
        len(field) + len(value)
        for segment in range(3)
        for field, value in fields_of(store, segment_keys(name, segment)[0]).items()
    )


def test_gc_keeps_the_published_generation_and_the_one_before(store: CodeStore, name: str) -> None:
    told: list[str] = []
    for generation_id in ("a", "b", "c", "d"):
        served(store, name, generation_id, numbered(40))
    store.begin(name, ref("building"))
    collected = store.gc(name, who="Ann", told=told.append)
    assert sorted(collected.generations) == ["a", "b"]
    assert {state.ref.id for state in store.generations(name)} == {"c", "d", "building"}
    assert [(e.operation, e.previous, e.who) for e in store.audit(name, 2)] == [
        ("discard", "b", "Ann"),
        ("discard", "a", "Ann"),
    ]
    assert told[:2] == ["dropping generation a", "dropping generation b"]
    assert store.gc(name) == type(collected)((), 0, 0)


def test_what_a_data_version_no_longer_has_is_found_until_the_pointer_moves_and_then_removed(
    store: CodeStore, name: str
) -> None:
    served(store, name, "a", numbered(100))
    store.upsert(name, [Item("ours")], {"a": random_codes(1)})
    store.begin(name, ref("b"))
    store.fill(name, "b", numbered(10), random_codes(10))
    store.put_codes(name, "b", ["ours"], random_codes(1))
    store.seal(name, "b", members=10)
    assert store.gc(name).items == 0
    assert len(codes_by_id(store, name)) == 101
    store.publish(name, "b")
    assert set(codes_by_id(store, name)) == {"ours", *ids_of(numbered(10))}
    assert store.gc(name).items == 0  # a roll-back goes to a
    served(store, name, "c", numbered(10))
    store.put_codes(name, "c", ["ours"], random_codes(1))
    assert store.gc(name).items == 90
    assert store.count(name) == 11
    assert store.state(name).deleted == 0


def test_deletes_by_hand_do_not_come_back_with_data_versions(store: CodeStore, name: str) -> None:
    served(store, name, "a", numbered(10))
    assert store.delete(name, ["item 3", "item 4"]).count("deleted") == 2
    assert store.delete(name, ["item 3"]).results == ("absent",)
    store.begin(name, ref("b"))
    written = store.fill(name, "b", numbered(10), random_codes(10))
    assert [written.results[i] for i in (2, 3, 4, 5)] == ["replaced", "deleted", "deleted", "replaced"]
    assert store.put_codes(name, "b", ["item 3"], random_codes(1)).results == ("absent",)
    assert store.state(name).deleted == 2
    store.upsert(name, [Item("item 4", (2,))])  # lifts it; and the data set has it still
    assert store.state(name).deleted == 1
    assert store.fill(name, "b", numbered(10)).results[3:5] == ("deleted", "kept")
    store.delete(name, ["item 4"])
    assert store.state(name).deleted == 2
    store.upsert(name, [Item("item 5", (1,))])  # edited by hand, then deleted: the data set has it still
    store.delete(name, ["item 5"])
    assert store.fill(name, "b", numbered(10)).count("deleted") == 3


def test_rows_are_used_again_and_loose_segments_are_packed(store: CodeStore, name: str) -> None:
    served(store, name, "g", numbered(2_000))
    blocks = sum(tally.blocks for tally in store.tallies(name))
    store.delete(name, ids_of(numbered(500)))
    store.upsert(name, [Item(f"new {number}") for number in range(500)], {"g": random_codes(500)})
    assert sum(tally.blocks for tally in store.tallies(name)) <= blocks + 3
    before = codes_by_id(store, name)
    store.delete(name, ids_of(numbered(1_400, first=500)))
    collected = store.gc(name)
    assert collected.moved > 0
    for tally in store.tallies(name):
        assert tally.blocks == -(-tally.items // 74)
    after = codes_by_id(store, name)
    assert after == {item_id: before[item_id] for item_id in after}
    assert len(after) == 600
    assert {item.id for item in store.scan(name)} == after.keys()
    assert store.gc(name).moved == 0


def test_all_that_an_item_has_moves_with_it(store: CodeStore, name: str) -> None:
    def version(uri: str) -> list[Item]:
        return [
            Item(f"item {i}", (i % 3, (i + 1) % 3), uri, tags=(uri, str(i)), metadata={"n": i})
            for i in range(600)
        ]

    old, new = version("old"), version("new")
    served(store, name, "a", old)
    served(store, name, "b", new)
    store.delete(name, ids_of(new[:500]))
    assert store.gc(name).moved > 0
    assert store.items(name, ids_of(new[500:]), "a") == old[500:]
    assert store.items(name, ids_of(new[500:]), "b") == new[500:]


def test_an_emptied_collection_takes_no_room(store: CodeStore, name: str) -> None:
    store.begin(name, ref("g"))
    empty = bytes_of(store, name)
    items = [
        Item(f"item {number}", (0, 1), "file:///u", tags=("new",), metadata={"n": number})
        for number in range(400)
    ]
    store.upsert(name, items, {"g": random_codes(400)})
    assert bytes_of(store, name) > empty + 400 * 50
    store.delete(name, ids_of(items))
    store.gc(name)
    assert bytes_of(store, name) < empty + 500  # sums, counts and positions


def test_ten_turnovers_do_not_grow_a_collection(store: CodeStore, name: str) -> None:
    def turn(number: int) -> int:
        items = [Item(f"{number}-{i}", (i % 3,), tags=("a",)) for i in range(300)]
        served(store, name, f"g{number}", items, seed=number)
        store.gc(name)
        return bytes_of(store, name)

    sizes = [turn(number) for number in range(10)]
    assert max(sizes[2:]) <= 1.3 * sizes[2]  # two generations of items, one to go back to
