"""What backfills keep in the store: turns, quarantine, a pause; the same on every back end."""

import pytest

from services.codestore import CodeStore, FencedError, Item
from services.codestore.backfill import Backfilled, Pace, TakenError, Turn, backfill
from services.codestore.backfill.status import status
from services.codestore.keys import backfill_key, quarantine_key
from services.codestore.quarantine import Lack
from services.codestore.records import Lacking
from services.codestore.turns import FOLLOWING
from taxohash.errors import TaxohashError
from tests.support.store_scenarios import codes_by_id, filled, numbered, random_codes, refused
from tests.support.waiting import until

pytestmark = pytest.mark.system


def lacking(store: CodeStore, name: str, generation: str) -> list[Lacking]:
    return [item for page in store.lacking(name, generation) for item in page]


def test_one_has_the_turn_and_the_next_ones_writes_are_the_later(
    store: CodeStore, other: CodeStore, name: str
) -> None:
    filled(store, name, "g", numbered(5))
    with Turn(store, name, "g", "first") as turn:
        with pytest.raises(TakenError, match="by first"), Turn(other, name, "g", "second"):
            pass
        assert store.held(name).keys() == other.held(name).keys() == {"g"}
        assert store.held(name)["g"].seconds > 1
        store.put_codes(name, "g", ["item 1"], random_codes(1), write=turn.next_write())
        late = turn.next_write()
    with Turn(other, name, "g", "second") as later:
        token = later.token
        other.put_codes(name, "g", ["item 1"], random_codes(1, seed=1), write=later.next_write())
        before = codes_by_id(store, name, "g")
        refused(
            store,
            name,
            lambda: store.put_codes(name, "g", ["item 1"], random_codes(1, seed=2), write=late),
            "comes after its write",
        )
        assert codes_by_id(store, name, "g") == before
    store.server.command(
        "HDEL", backfill_key(name), "token", key=backfill_key(name)
    )  # lost: it rises nonetheless
    assert store.hold(name, "g", "third", 1).token > token


def test_a_lease_ends_on_the_servers_clock(store: CodeStore, other: CodeStore, name: str) -> None:
    store.hold(name, FOLLOWING, "first", 0.2)
    assert other.hold(name, FOLLOWING, "second", 60).runner == "first"
    until(lambda: other.hold(name, FOLLOWING, "second", 60).runner == "second")
    store.let_go(name, FOLLOWING, "first")
    assert store.held(name)[FOLLOWING].runner == "second"


def test_quarantine_is_told_apart_and_not_waited_for(store: CodeStore, other: CodeStore, name: str) -> None:
    filled(store, name, "g", numbered(100))
    ids = [f"new {i} \x00\u2028💡" for i in range(30)]
    store.upsert(name, [Item(item_id, uri="u") for item_id in ids])
    store.upsert(name, [Item("no picture")])
    with pytest.raises(TaxohashError, match="lacks the codes of 30 of the 131"):
        store.publish(name, "g")
    with Turn(store, name, "g", "first") as turn:
        items = lacking(store, name, "g")
        store.quarantine(name, "g", turn.token, [(item, f"bad\n{item.id}") for item in items])
        assert store.lack(name, "g") == other.lack(name, "g") == Lack(0, 30, 1)
        assert (state := store.generations(name)[0]).quarantined == 30
        assert state.members - state.codes == 31
        told = {entry.id: entry for entry in other.quarantined(name, "g")}
        assert told.keys() == set(ids)
        assert all(entry.reason.isprintable() and entry.reason.startswith("bad ") for entry in told.values())
        assert all(entry.when > 0 for entry in told.values())
        with pytest.raises(FencedError, match="is encoded by first now"):
            other.quarantine(name, "g", turn.token - 1, [(items[0], "bad")])
        reasons = other.unencodable(name, "g", [*ids, "no picture", "item 0", "never"])
        assert reasons.keys() == {*ids, "no picture"}
        assert all(reasons[item_id].startswith("its picture cannot be read: bad new") for item_id in ids)
        # Another picture leaves by itself, whatever is kept; a deleted item too; and one that comes with its code.
        store.upsert(name, [Item(ids[0], uri="another")])
        store.delete(name, ids[1:2])
        store.put_codes(name, "g", ids[2:3], random_codes(1))
        assert store.lack(name, "g") == Lack(1, 27, 1)
        assert other.unencodable(name, "g", ids).keys() == set(ids[3:])
        with pytest.raises(TaxohashError, match="lacks the codes of 1 of the 130"):
            store.publish(name, "g")
        store.forget_quarantined(name, "g", turn.token, set(ids[3:]))
        assert {entry.id for entry in store.quarantined(name, "g")} == set(ids[3:])
        store.put_codes(name, "g", ids[:1], random_codes(1))
    store.publish(name, "g")
    assert store.retry_quarantined(name, "g") == 27
    assert store.lack(name, "g") == Lack(27, 0, 1)


def test_what_is_dropped_takes_its_quarantine_with_it(store: CodeStore, name: str) -> None:
    for generation in ("g", "h"):
        filled(store, name, generation, numbered(3))
    store.upsert(name, [Item("new", uri="u")])
    for generation in ("g", "h"):
        with Turn(store, name, generation, "first") as turn:
            store.quarantine(name, generation, turn.token, [(lacking(store, name, generation)[0], "bad")])
    store.discard(name, "g")
    key = quarantine_key(name, "g")
    assert store.server.command("HLEN", key, key=key) == 0
    assert store.lack(name, "h") == Lack(0, 1, 0)
    with pytest.raises(TaxohashError, match="no generation 'g'"):
        store.lack(name, "g")


def test_an_entry_of_an_older_collection_of_this_name_says_nothing(store: CodeStore, name: str) -> None:
    filled(store, name, "g", numbered(3))
    store.upsert(name, [Item("new", uri="u")])
    (item,) = lacking(store, name, "g")
    key = quarantine_key(name, "g")
    older = f"{'0' * 8}\t{item.revision}\t1\tbad".encode()
    store.server.command("HSET", key, "new", older, key=key)
    assert store.lack(name, "g") == Lack(1, 0, 0)
    assert list(store.quarantined(name, "g")) == []
    with Turn(store, name, "g", "first") as turn:
        store.forget_quarantined(name, "g", turn.token, ())
    assert store.server.command("HLEN", key, key=key) == 0


def test_a_pass_and_what_is_told_of_it(store: CodeStore, other: CodeStore, name: str) -> None:
    filled(store, name, "g", numbered(10))
    store.upsert(name, [Item(f"new {i}", uri=f"u{i}") for i in range(200)])
    store.upsert(name, [Item("no picture")])

    def read(item: Lacking) -> bytes:
        if item.id.endswith("7"):
            raise TaxohashError("it is none")
        return item.uri.encode()

    with Turn(store, name, "g", "first") as turn:
        done = backfill(store, name, "g", read, lambda pictures: random_codes(len(pictures)), turn, Pace())
        assert done == Backfilled(coded=180, quarantined=20)
        found = status(other, name)
        (known,) = found.generations
        counts = (known.members, known.codes, known.waiting, known.quarantined, known.without_picture)
        assert counts == (211, 190, 0, 20, 1)
        assert (known.runner, known.seconds_left) == ("first", 0.0)
        assert {entry.reason for entry in known.quarantine} == {"it is none"}
        store.upsert(name, [Item("another", uri="u")])
        (known,) = status(other, name).generations
        assert known.speed is not None
        assert known.seconds_left == pytest.approx(1 / known.speed)
    (known,) = status(store, name).generations
    assert (known.runner, known.speed, known.seconds_left) == (None, None, None)


def test_a_pause_is_everybodys(store: CodeStore, other: CodeStore, name: str) -> None:
    assert store.paused(name) == ""
    store.pause(name, "somebody\u2028")
    assert other.paused(name) == "somebody\u2028"
    assert status(other, name).paused
    other.resume(name)
    other.resume(name)
    assert store.paused(name) == ""
