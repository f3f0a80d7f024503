"""A replica answers as a dict of its rows does, whatever is written, packed or read meanwhile."""

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from services.codestore.follower import packed
from services.codestore.follower import replica as replica_module
from services.codestore.follower.filters import Below, Either, Every, Filter, Tagged
from services.codestore.follower.replica import Replica
from services.codestore.follower.state import State
from services.codestore.follower.view import Found
from services.codestore.records import Columns, ItemLabels
from taxohash.codes import Codes
from taxohash.errors import TaxohashError
from taxohash.hamming import arrange, index, layouts
from taxohash.taxonomy import Taxonomy
from tests.support.hamming_oracle import make_codes
from tests.support.replica_oracle import Naive, Row, columns

BITS = 45
TREE = Taxonomy(
    "tree",
    (("a", "b", "c"), ("d",), ("a", "b", "e"), ("a", "f"), ("g", "b", "c"), ("g", "h"), ("a", "b", "i", "j")),
)
NUMBERS = np.array([3, 0, 7, 5, 1, 12, 4], np.int32)
KNOWN = (*NUMBERS.tolist(), 2, 40)  # the last two are of another version
NODES = ("a", "a/b", "a/b/c", "a/b/i", "d", "g", "g/b", "g/h")
TAGS = ("red", "blue", "großer Ärmel", "9")
FILTERS: tuple[Filter | None, ...] = (
    None,
    *map(Below, NODES),
    Tagged("red"),
    Every((Below("a/b"), Tagged("red"))),
    Either((Below("g"), Tagged("blue"), Below("a/b/i"))),
    Every((Either((Below("d"), Below("a"))), Either((Tagged("red"), Tagged("9"))))),
    Every(()),
    Either(()),
)


def answers(found: Found) -> list[list[tuple[int, int, str, tuple[int, ...]]]]:
    items = [
        (int(near), int(row), item_id, tuple(found.labels[i].tolist()))
        for i, (near, row, item_id) in enumerate(zip(found.distances, found.rows, found.ids, strict=True))
    ]
    return [items[start:stop] for start, stop in zip(found.limits[:-1], found.limits[1:], strict=True)]


def known_tags(naive: Naive) -> set[str]:
    return {tag for item in naive.rows.values() for tag in item.tags}


def tags_in(asked: Filter | None) -> set[str]:
    if isinstance(asked, Tagged):
        return {asked.tag}
    return set().union(*map(tags_in, asked.parts)) if isinstance(asked, Every | Either) else set()


class Writes(RuleBasedStateMachine):
    """Any writes, loads and arrangements."""

    @initialize(
        seed=st.integers(0, 2**32), segments=st.integers(1, 3), kind=st.sampled_from(("uniform", "clustered"))
    )
    def empty(self, seed: int, segments: int, kind: str) -> None:
        self.rng, self.kind, self.segments = np.random.default_rng(seed), kind, segments
        self.replica = Replica(BITS, segments, TREE, NUMBERS)
        self.naive = Naive(segments, TREE, NUMBERS.tolist())
        self.totals, self.loaded = [0] * segments, [False] * segments

    def item(self, segment: int, free: list[int]) -> Row | None:
        """An item that no other row has, or none."""
        if self.rng.random() < 0.2:
            return None
        number = free.pop()
        code = make_codes(self.rng, 1, BITS, self.kind).tobytes() if self.rng.random() < 0.8 else None
        labels = self.rng.permutation(KNOWN)[: self.rng.choice((0, 1, 1, 1, 2, 3))]
        tags = self.rng.permutation(TAGS)[: self.rng.choice((0, 0, 1, 2))]
        name = "ß" * (300 if number % 9 == 0 else number % 5) + f"{segment}/{number}"
        member, looks = self.rng.random() < 0.9, int(self.rng.choice((0, 1, 2, 63)))
        return Row(name, tuple(map(int, labels)), tuple(map(str, tags)), code, member, looks)

    def written(self, segment: int, most: int, reset: bool) -> tuple[dict[int, Row | None], int]:
        total = (
            int(self.rng.integers(0, most + 1))
            if reset or self.rng.random() < 0.2
            else max(self.totals[segment], 5)
        )
        chosen = (
            range(total)
            if reset
            else self.rng.permutation(total + 2)[: self.rng.integers(0, most + 1)].tolist()
        )
        kept = {
            item.id
            for row, item in self.naive.rows.items()
            if row % self.segments == segment and not reset and row // self.segments not in chosen
        }
        taken = {int(item_id.split("/")[1]) for item_id in kept}
        free = [number for number in self.rng.permutation(400).tolist() if number not in taken]
        return {row: self.item(segment, free) for row in chosen}, total

    @rule(most=st.sampled_from((1, 5, 60)))
    def apply(self, most: int) -> None:
        segment = int(self.rng.integers(self.segments))
        rows, total = self.written(segment, most, reset=False)
        self.replica.apply(columns(segment, rows, total, 6))
        self.naive.write(segment, rows, total, reset=False)
        self.totals[segment] = total

    @rule(most=st.sampled_from((0, 20, 90)), pages=st.integers(1, 3), every=st.booleans())
    def load(self, most: int, pages: int, every: bool) -> None:
        parts, chosen = [], range(self.segments) if every else [int(self.rng.integers(self.segments))]
        for segment in chosen:
            rows, total = self.written(segment, most, reset=True)
            for part in np.array_split(np.array(list(rows), np.int64), pages):
                parts.append(columns(segment, {row: rows[row] for row in part.tolist()}, total, 6))
            self.naive.write(segment, rows, total, reset=True)
            self.totals[segment], self.loaded[segment] = total, True
        self.replica.load(parts)

    @rule()
    def write_twice(self) -> None:
        """What comes later in one write counts."""
        segment = int(self.rng.integers(self.segments))
        first, _ = self.written(segment, 5, reset=False)
        second, total = self.written(segment, 5, reset=False)
        second |= dict.fromkeys(first.keys() - second.keys())
        self.replica.write([columns(segment, part, total, 6) for part in (first, second)])
        self.naive.write(segment, second, total, reset=False)
        self.totals[segment] = total

    @rule()
    def arrange(self) -> None:
        self.replica.arrange()

    @invariant()
    def answers(self) -> None:
        rows = self.naive.rows
        codes = make_codes(self.rng, 2, BITS, self.kind)
        loaded = all(self.loaded)
        assert self.replica.is_loaded == loaded
        assert len(self.replica) == (sum(item.code is not None for item in rows.values()) if loaded else 0)
        assert self.replica.uncoded == sum(item.code is None for item in rows.values())
        assert self.replica.view().unknown_labels() == self.naive.unknown_labels
        ids = [item.id for item in rows.values()]
        np.testing.assert_array_equal(self.replica.rows_of([*ids, "absent", ""]), [*rows, -1, -1])
        lacking = [item.code is None for item in rows.values()]
        np.testing.assert_array_equal(self.replica.lacking([*ids, "absent"]), [*lacking, False])
        np.testing.assert_array_equal(
            self.replica.searchable([*ids, ""]), [*(not lack for lack in lacking), False]
        )
        self.codes_are_told(rows, codes[:1], loaded)
        numbers = np.array(list(rows), np.int64)
        assert self.replica.ids_of(numbers) == ids
        assert self.replica.view().tags_of(numbers) == [item.tags for item in rows.values()]
        self.what_has_a_code_is_told(rows)
        labels = self.replica.labels_of(numbers)
        assert [tuple(labels[i].tolist()) for i in range(len(numbers))] == [
            item.labels for item in rows.values()
        ]
        sets, found, own = self.replica.view().labelled()
        labelled = {
            row: tuple(sets[one].tolist()) for row, one in zip(found.tolist(), own.tolist(), strict=True)
        }
        assert labelled == {row: item.labels for row, item in rows.items() if item.code is not None}
        assert found.tolist() == sorted(labelled)
        for asked in FILTERS:
            if tags_in(asked) - known_tags(self.naive):
                with pytest.raises(TaxohashError, match="no item has the tag"):
                    self.replica.search(codes, where=asked)
                continue
            wanted = [self.naive.search(code, asked) if loaded else [] for code in codes]
            for k in (3, 500):
                assert answers(self.replica.search(codes, k, where=asked)) == [found[:k] for found in wanted]
            near = [[one for one in found if one[0] <= 20] for found in wanted]
            assert answers(self.replica.search(codes, radius=20, where=asked)) == near
            few = self.replica.search(codes, radius=20, where=asked, most=4)
            assert answers(few) == [found[:4] for found in near]
            self.answers_by_weights(codes, asked, loaded)

    def what_has_a_code_is_told(self, rows: dict[int, Row]) -> None:
        """Of items whose code is the same those that have a fingerprint, and then those that have none."""
        coded = [row for row, item in rows.items() if item.code is not None] if all(self.loaded) else []
        if not coded:
            return
        code, view = rows[coded[0]].code, self.replica.view()
        query = np.frombuffer(code or b"", np.uint8)[None]
        for nodes, asked in ((), None), (("a",), Below("a")):
            same = sorted(row for near, row, _, _ in self.naive.search(query[0], asked) if near == 0)
            may = [[row for row in same if rows[row].fingerprint == one] for one in (2, 0)]
            for most in (1, 2, 500):
                assert view.with_code(query, 2, most, nodes).tolist() == [*may[0], *may[1]][:most]
            equal = view.equal(np.array(same, np.int64), weighted=True)
            assert equal.ids == [rows[row].id for row in same]
            assert not equal.distances.any()

    def codes_are_told(self, rows: dict[int, Row], code: Codes, loaded: bool) -> None:
        coded = {row: item for row, item in rows.items() if item.code is not None and loaded}
        for row, item in list(coded.items())[:3]:
            view, found = self.replica.located(item.id)
            assert found == row
            assert view.codes_of(np.array([row])).tobytes() == item.code
        assert self.replica.located("absent")[1] == -1
        below = np.bincount([one[0] for one in self.naive.search(code[0], Below("a"))], minlength=BITS + 1)
        all_codes = sorted(item.code for item in coded.values() if item.code is not None)
        view = self.replica.view()
        for most in (3, len(coded), len(coded) + 1):
            some = [one.tobytes() for one in view.some_codes(most)]
            assert len(some) == min(most, len(coded))
            assert sorted(some) == all_codes or (len(some) < len(coded) and {*some} <= {*all_codes})
        wanted = self.naive.search(code[0], None) if loaded else []
        for count in (1, 4, 500):
            tied = [one for one in wanted if one[0] <= wanted[min(count, len(wanted)) - 1][0]]
            near, places = view.nearest(code, count)
            assert [*zip(near.tolist(), places.tolist(), strict=True)] == [one[:2] for one in tied]
        assert view.least(code) == (wanted[0][0] if wanted else None)
        told = self.replica.view().histogram(code, within="a")
        np.testing.assert_array_equal(told, below if loaded else 0 * below)

    def answers_by_weights(self, codes: Codes, asked: Filter | None, loaded: bool) -> None:
        """A radius goes by the Hamming distance, also by weights."""
        weights = self.rng.choice((1, 0.5, 0.25, 0), (2, BITS)).astype(np.float32)
        wanted = [
            self.naive.weigh(code, own, asked) if loaded else []
            for code, own in zip(codes, weights, strict=True)
        ]
        for found, by in (
            (self.replica.search(codes, 7, where=asked, weights=weights), [own[:7] for own in wanted]),
            (
                self.replica.search(codes, radius=20, where=asked, weights=weights),
                [[one for one in own if one[1][0] <= 20] for own in wanted],
            ),
            (
                self.replica.search(codes, radius=20, where=asked, weights=weights, most=4),
                [_of_the_nearest(own, 4, 20) for own in wanted],
            ),
        ):
            assert answers(found) == [[item for _, item in own] for own in by]
            assert found.weighted is not None
            assert found.weighted.tolist() == [distance for own in by for distance, _ in own]


def _of_the_nearest(answers: list[Any], most: int, radius: int) -> list[Any]:
    """Of answers in the order of their weighted distances so many of the least Hamming distances."""
    kept = sorted((one for _, one in answers if one[0] <= radius))[:most]
    return [(weighted, one) for weighted, one in answers if one in kept]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few rows take the paths of millions."""
    monkeypatch.setattr(packed, "_FEWEST_WASTED", 200)
    monkeypatch.setattr(index, "TAIL", (10, 8))
    monkeypatch.setattr(index, "DEAD", (10, 8))
    for module in (arrange, layouts):
        monkeypatch.setattr(module, "SLICE_FROM", 60)


@pytest.mark.parametrize("examples", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_any_order_of_writes(small: None, examples: int) -> None:
    run_state_machine_as_test(
        Writes, settings=settings(max_examples=examples, stateful_step_count=15, deadline=None)
    )


def scattered(rng: np.random.Generator, names: int, rows: int) -> dict[int, Row | None]:
    """Every name in a row of its own, all that is known of it told by its number."""
    places = rng.permutation(rows)[:names].tolist()
    found: dict[int, Row | None] = dict.fromkeys(range(rows))
    for number, row in enumerate(places):
        found[row] = told(number, int(rng.integers(2)))
    return found


def told(number: int, turn: int) -> Row:
    """An item whose code, labels and tags tell its number and its turn; so does its id tell the number."""
    label = KNOWN[(number + turn) % 5]
    code = np.packbits([number >> bit & 1 for bit in range(20)] + [turn] * 20 + [0] * 5)
    return Row(f"item {number}", (label,), (TAGS[turn],), code.tobytes())


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns a hundred times as often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 100)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("small", "restless")
@pytest.mark.parametrize("steps", [100, pytest.param(250, marks=pytest.mark.slow)])
@pytest.mark.parametrize("packing", [False, True])
def test_searches_see_one_state_while_items_move_between_rows(
    monkeypatch: pytest.MonkeyPatch, packing: bool, steps: int
) -> None:
    """A writer throws 40 items about 60 rows of two segments, and changes labels, tags and codes with it.

    Every search has to see each item exactly once, with the labels and the code of one and the same turn.
    """
    if not packing:
        monkeypatch.setattr(packed.Packed, "is_wasteful", lambda _: False)
    rng, segments = np.random.default_rng(1), 2
    replica = Replica(BITS, segments, TREE, NUMBERS)
    replica.load([columns(0, scattered(rng, 40, 60), 60, 6), columns(1, {}, 0, 6)])
    query = np.zeros((1, 6), np.uint8)
    stop, wrong = threading.Event(), list[object]()

    def check(found: Found, asked: Filter | None, whole: bool) -> None:
        for i, item_id in enumerate(found.ids):
            number = int(item_id.removeprefix("item "))
            turn = int(int(found.distances[i]) >= 20)
            item = told(number, turn)
            near = int(np.bitwise_count(np.frombuffer(item.code or b"", np.uint8)).sum())
            allowed = asked is None or Naive(1, TREE, NUMBERS.tolist()).holds(asked, item)
            if tuple(found.labels[i].tolist()) != item.labels or near != found.distances[i] or not allowed:
                wrong.append((asked, item_id, found.labels[i], found.distances[i], item))
        if len(set(found.ids)) != len(found.ids) or (whole and len(found.ids) != 40):
            wrong.append((asked, sorted(found.ids)))

    def read(asked: Filter | None) -> None:
        try:
            while not stop.is_set() and not wrong:
                view = replica.view()
                found = view.search(query, 100, where=asked)
                check(found, asked, asked is None)
                if view.ids_of(found.rows) != found.ids:
                    wrong.append(("ids", found.ids))
                if answers(view.search(query, radius=BITS, where=asked)) != answers(found):
                    wrong.append(("again", asked))
        except BaseException as error:  # a thread's own is only printed
            wrong.append((error,))

    asked = (None, Below("a/b"), Tagged("red"), Either((Tagged("blue"), Below("d"))))
    readers = [threading.Thread(target=read, args=(one,)) for one in asked]
    for reader in readers:
        reader.start()
    for step in range(steps):
        if wrong:
            break
        replica.apply(columns(0, scattered(rng, 40, 60), 60, 6))
        if step % 50 == 9:
            replica.arrange()
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong, wrong[0]


def many(rng: np.random.Generator, count: int, segments: int, turn: int = 0) -> list[Columns]:
    """Items with 16-byte ids, one of 400 labels and 64-bit codes around as many centres."""
    centres = np.random.default_rng(9).integers(0, 256, (400, 8), np.uint8)
    found = []
    for segment in range(segments):
        size = count // segments
        labels = rng.integers(0, 400, size).astype(np.int32)
        flips = np.packbits(rng.random((size, 64), np.float32) < 0.03, axis=1)
        yes = np.ones(size, np.bool_)
        ids = b"".join(b"%02d-%03d-%09d\xff" % (turn, segment, row) for row in range(size))
        found.append(
            Columns(
                segment, 1 + turn, 1, size, np.arange(size), yes, yes, yes, ids,
                ItemLabels.of(labels, np.ones(size, np.int64)), centres[labels] ^ flips, {}, yes * np.uint8(63),
            )
        )  # fmt: skip
    return found


WIDE = Taxonomy("wide", tuple((f"{label // 40}", f"{label}") for label in range(400)))


def test_an_item_takes_48_bytes_at_most_and_ten_turnovers_no_more() -> None:
    rng, segments, count = np.random.default_rng(3), 4, 100_000
    replica = Replica(64, segments, WIDE)
    replica.load(many(rng, count, segments))
    replica.arrange()
    assert replica.stats()["bytes_per_item"] <= 45.5  # and filters may take two bytes more
    replica.search(np.zeros((1, 8), np.uint8), within=["1", "2"])
    fresh = replica.stats()
    assert fresh["index"]["layout"] == "rings"
    assert replica.nbytes == sum(fresh["parts"].values())
    for turn in range(1, 11):
        for page in many(rng, count, segments, turn):
            replica.apply(page)
    replica.arrange()
    replica.search(np.zeros((1, 8), np.uint8), within=["1", "2"])
    after = replica.stats()
    assert (after["items"], after["index"]["layout"]) == (count, "rings")
    assert after["bytes"] <= 1.3 * fresh["bytes"]
    replica.load(many(rng, 1000 * segments, segments))
    assert (len(replica), replica.rows_of(["00-003-000000999", "10-003-000000999"]).tolist()) == (
        4000,
        [3999, -1],
    )


def test_a_change_asks_a_filter_for_the_rows_that_have_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    replica = Replica(64, 1, WIDE)
    (page,) = many(rng, 20_000, 1)
    replica.load([page])
    asked: list[int] = []
    sets = State.sets

    def counting(state: State, rows: Any) -> Any:
        asked.append(rows if isinstance(rows, int) else len(rows))
        return sets(state, rows)

    replica.search(page.codes[:1], within="3")
    monkeypatch.setattr(State, "sets", counting)
    for count in (1, 1, 30):
        rows = np.arange(count) * 7
        replica.apply(
            replace(
                page, rows=rows, alive=page.alive[rows], member=page.member[rows], coded=page.coded[rows],
                ids=b"".join(b"00-000-%09d\xff" % row for row in rows), labels=ItemLabels.of(np.full(count, 120, np.int32), np.ones(count, np.int64)),
                codes=page.codes[rows], fingerprints=page.fingerprints[rows],
            )
        )  # fmt: skip
        found = replica.search(page.codes[:1], 1, within="3")
        assert found.rows.tolist() == [0]
        assert replica.search(page.codes[:1], 1, within="3").rows.tolist() == [0]
        assert asked == [count]
        asked.clear()


def test_prepared_filters_stay_within_their_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica_module, "FILTER_BYTES", (60_000, 0))
    replica = Replica(64, 1, WIDE)
    replica.load(many(np.random.default_rng(5), 20_000, 1))
    query = np.zeros((1, 8), np.uint8)
    for label in range(100):
        assert set(replica.search(query, 5, within=f"{label // 40}/{label}").labels.flat.tolist()) == {label}
    assert replica.stats()["parts"]["filters"] < 80_000
    assert len(replica) == 20_000


GOOD = columns(0, {0: Row("x", (3,), ("red",), bytes(6))}, 1, 6)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda r: r.apply(replace(GOOD, segment=2)), "columns are of segments 2 to 2: the collection has 2"),
        (lambda r: r.apply(replace(GOOD, segment=-1)), "columns are of segments -1"),
        (lambda r: r.apply(replace(GOOD, codes=np.zeros((1, 5), np.uint8))), "codes of segment 0 are uint8"),
        (lambda r: r.apply(replace(GOOD, codes=np.zeros((2, 6), np.uint8))), "codes of segment 0 are uint8"),
        (lambda r: r.apply(replace(GOOD, ids=b"x")), "0 ids in 1 bytes for 1 rows"),
        (lambda r: r.apply(replace(GOOD, ids=b"x\xffy\xff")), "2 ids in 4 bytes for 1 rows"),
        (lambda r: r.apply(replace(GOOD, ids=b"x\xffy")), "1 ids in 3 bytes for 1 rows"),
        (lambda r: r.apply(replace(GOOD, alive=np.ones(2, np.bool_))), "do not have 1 rows"),
        (lambda r: r.apply(replace(GOOD, rows=np.array([-1]))), "do not have 1 rows from 0 on"),
        (lambda r: r.apply(replace(GOOD, total=2**32)), "more than a replica can hold"),
        (lambda r: r.apply(columns(0, {0: Row("x", (-2,))}, 1, 6)), "label number -2"),
        (lambda r: r.search(np.zeros((1, 6), np.uint8), within="a/x"), "has no node 'a/x'"),
        (lambda r: r.search(np.zeros((1, 6), np.uint8), within=""), "has no node ''"),
        (lambda r: r.search(np.zeros((1, 6), np.uint8), tags=["red", "pink"]), "no item has the tag 'pink'"),
        (lambda r: r.search(np.zeros((1, 5), np.uint8)), "queries are uint8"),
        (lambda r: r.search(np.zeros((1, 6), np.uint8), k=-1), "k is -1"),
        (lambda r: r.search(np.zeros((1, 6), np.uint8), radius=-1), "radius is -1"),
        (lambda r: r.ids_of([2**40]), "rows reach from 1099511627776"),
        (lambda r: r.ids_of([-1]), "rows reach from -1"),
        (lambda r: Replica(BITS, 0, TREE), "segments is 0"),
        (lambda r: Replica(7, 1, TREE), "bits is 7"),
        (lambda r: Replica(BITS, 1, TREE, NUMBERS[:3]), "7 labels have"),
        (lambda r: Replica(BITS, 1, TREE, NUMBERS * 0), "7 labels have"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(act: Callable[[Replica], object], said: str) -> None:
    replica = Replica(BITS, 2, TREE, NUMBERS)
    replica.load([GOOD, columns(1, {}, 0, 6)])
    before = answers(replica.search(np.ones((1, 6), np.uint8) * 8))
    with pytest.raises(TaxohashError, match=said):
        act(replica)
    assert answers(replica.search(np.ones((1, 6), np.uint8) * 8)) == before
    assert (replica.rows_of(["x"]).tolist(), len(replica)) == ([0], 1)
