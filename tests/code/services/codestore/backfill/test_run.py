"""Items that came without a code get one, whatever becomes of them meanwhile."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from services.codestore import CodeStore, FencedError, GenerationRef, Item, Lacking, StoreUnavailableError
from services.codestore.backfill import Backfilled, Pace, Turn, pace, run
from services.codestore.backfill import backfill as run_pass
from services.codestore.pictures import Pictures
from services.codestore.pictures.sources import PictureSources
from services.codestore.pictures.uris import UriReader, parse_prefixes
from services.codestore.quarantine import Lack
from services.codestore.turns import Trying
from taxohash.errors import TaxohashError
from tests.support.tiny import TAXONOMY

COLLECTION, GENERATION = "catalog", "g1"
Codes = npt.NDArray[np.uint8]
ITEMS = 30


@pytest.fixture
def store() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as made:
        made.create(COLLECTION, TAXONOMY, segments=2)
        made.begin(COLLECTION, GenerationRef(GENERATION, 16, TAXONOMY.sha256))
        yield made


@pytest.fixture(autouse=True)
def few_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "TOGETHER", 7)


def backfill(
    store: CodeStore,
    read: Callable[[Lacking], bytes],
    encode: Callable[[Sequence[bytes]], Codes],
    **options: Any,
) -> Backfilled:
    """A pass by a runner of its own."""
    with Turn(store, COLLECTION, GENERATION, "runner") as turn:
        return run_pass(store, COLLECTION, GENERATION, read, encode, turn, Pace(), **options)


def encode(pictures: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    """A stand-in for a hasher: two bytes of the digest; what begins with "no " is none of its pictures."""
    if any(data.startswith(b"no ") for data in pictures):
        raise TaxohashError("a picture is none")
    digests = b"".join(hashlib.sha256(data).digest()[:2] for data in pictures)
    return np.frombuffer(digests, np.uint8).reshape(-1, 2)


def by_uri(item: Lacking) -> bytes:
    return item.uri.encode()


def put(store: CodeStore, ids: Sequence[str], form: str = "https://here/{}") -> None:
    store.upsert(COLLECTION, [Item(item_id, uri=form.format(item_id)) for item_id in ids])


def codes(store: CodeStore) -> dict[str, bytes]:
    found = store.snapshot(COLLECTION, GENERATION)
    return {item_id: bytes(code) for item_id, code in zip(found.ids, found.codes, strict=True)}


def code(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:2]


IDS = [f"item {i}" for i in range(ITEMS)]


def test_what_lacks_a_code_gets_that_of_its_picture_and_what_has_one_keeps_it(store: CodeStore) -> None:
    put(store, IDS)
    store.upsert(COLLECTION, [Item("coded")], {GENERATION: np.array([[1, 2]], np.uint8)})
    store.upsert(COLLECTION, [Item("without a picture")])
    looked: list[int] = []
    done = backfill(store, by_uri, encode, progress=looked.append)
    assert done == Backfilled(coded=ITEMS)
    assert codes(store) == {i: code(f"https://here/{i}") for i in IDS} | {"coded": b"\1\2"}
    assert looked == sorted(looked)
    assert looked[-1] == ITEMS
    assert backfill(store, by_uri, encode) == Backfilled()


def test_pictures_come_from_the_store_the_data_set_and_below_prefixes(
    store: CodeStore, tmp_path: Path
) -> None:
    pictures = Pictures.open(tmp_path / "pictures")
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "a.png").write_bytes(b"by address")
    (tmp_path / "b.png").write_bytes(b"beside")
    store.upsert(
        COLLECTION,
        [
            Item("by content", picture=pictures.put(b"by content")),
            Item("by address", uri=f"file://{allowed}/a.png"),
            Item("elsewhere", uri=f"file://{tmp_path}/b.png"),
        ],
    )
    store.fill(COLLECTION, GENERATION, [Item("of the data")])
    uris = UriReader(parse_prefixes(f"file://{allowed}"), limit=1000)
    sources = PictureSources(pictures, uris, {"of the data": b"data"}.get)
    told: list[str] = []
    done = backfill(store, sources.read, encode, told=told.append)
    assert done == Backfilled(coded=3, quarantined=1)
    assert codes(store) == {
        "by content": code("by content"),
        "by address": code("by address"),
        "of the data": code("data"),
    }
    (line,) = told
    assert line.startswith("item 'elsewhere' is put into quarantine: ")


@pytest.mark.parametrize("bad", [["item 3"], ["item 0", "item 4", "item 5"], IDS[1:]])
def test_bad_pictures_are_told_and_stop_nothing(store: CodeStore, bad: list[str]) -> None:
    put(store, [item_id for item_id in IDS if item_id not in bad])
    put(store, bad, "no picture {}")
    told: list[str] = []
    done = backfill(store, by_uri, encode, told=told.append)
    assert done == Backfilled(coded=ITEMS - len(bad), quarantined=len(bad))
    assert codes(store).keys() == set(IDS) - set(bad)
    assert len(told) == min(len(bad), 20)
    assert all("is put into quarantine: a picture is none" in line for line in told)


def test_a_bad_picture_is_tried_once_told_apart_and_leaves_with_another_picture(store: CodeStore) -> None:
    put(store, IDS[:3])
    put(store, ["bad", "worse"], "no picture {}")
    store.upsert(COLLECTION, [Item("without a picture")])
    backfill(store, by_uri, encode)
    tried: list[str] = []

    def read(item: Lacking) -> bytes:
        tried.append(item.id)
        return by_uri(item)

    assert backfill(store, read, encode) == Backfilled()
    assert tried == []
    assert store.lack(COLLECTION, GENERATION) == Lack(quarantined=2, without_picture=1)
    entries = {entry.id: entry.reason for entry in store.quarantined(COLLECTION, GENERATION)}
    assert entries == {"bad": "a picture is none", "worse": "a picture is none"}
    ids = ["bad", "worse", "without a picture", IDS[0], "never"]
    assert store.unencodable(COLLECTION, GENERATION, ids) == {
        "bad": "its picture cannot be read: a picture is none",
        "worse": "its picture cannot be read: a picture is none",
        "without a picture": "it has no picture: put it with one, or with a URI",
    }
    put(store, ["bad"])
    store.delete(COLLECTION, ["worse"])
    assert store.unencodable(COLLECTION, GENERATION, ids).keys() == {"without a picture"}
    assert store.lack(COLLECTION, GENERATION) == Lack(waiting=1, without_picture=1)
    assert backfill(store, read, encode) == Backfilled(coded=1)
    assert tried == ["bad"]
    assert not list(store.quarantined(COLLECTION, GENERATION))  # nothing is kept of what counts no more


def test_all_are_tried_again_where_it_is_asked_for(store: CodeStore) -> None:
    put(store, IDS[:9], "no picture {}")
    assert backfill(store, by_uri, encode).quarantined == 9
    assert store.retry_quarantined(COLLECTION, GENERATION) == 9
    assert store.lack(COLLECTION, GENERATION) == Lack(waiting=9)
    assert backfill(store, lambda item: item.id.encode(), encode) == Backfilled(coded=9)


def test_the_store_is_told_how_far_it_is(store: CodeStore) -> None:
    put(store, IDS)
    put(store, IDS[:2], "no picture {}")
    backfill(store, by_uri, encode)
    told = store.progress(COLLECTION)[GENERATION]
    assert (told.runner, told.looked, told.coded, told.quarantined) == ("runner", ITEMS, ITEMS - 2, 2)
    assert told.speed is not None
    assert told.speed > 0


def test_paused_it_waits_between_two_batches(store: CodeStore) -> None:
    put(store, IDS)
    told: list[str] = []
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            store.resume(COLLECTION)

    def pausing(pictures: Sequence[bytes]) -> Codes:
        if not slept:
            store.pause(COLLECTION, "somebody")
        return encode(pictures)

    with Turn(store, COLLECTION, GENERATION, "runner") as turn:
        done = run_pass(
            store, COLLECTION, GENERATION, by_uri, pausing, turn, Pace(sleep=sleep), told=told.append
        )
    assert done == Backfilled(coded=ITEMS)
    assert len(slept) == 3
    assert max(slept) <= 1.0
    assert told == ["paused by somebody: waiting until it is resumed", "resumed"]


def test_one_who_was_held_up_writes_nothing_after_another_has_begun(store: CodeStore) -> None:
    put(store, IDS)
    held: list[int] = []

    def held_up(pictures: Sequence[bytes]) -> Codes:
        if not held:  # its lease ends, as if the process had been stopped
            held.append(1)
            store.let_go(COLLECTION, GENERATION, "runner")
            with Turn(store, COLLECTION, GENERATION, "another") as turn:
                done = run_pass(store, COLLECTION, GENERATION, by_uri, encode, turn, Pace())
                assert done == Backfilled(coded=ITEMS)
        return encode(pictures)[:, ::-1].copy()  # codes of its own, to be seen if they were taken

    with pytest.raises(FencedError, match="by another runner since this one was held up"):
        backfill(store, by_uri, held_up)
    assert codes(store) == {i: code(f"https://here/{i}") for i in IDS}
    assert store.held(COLLECTION) == {}


def test_one_who_was_held_up_puts_nothing_into_quarantine_and_leaves_the_others_notes(
    store: CodeStore,
) -> None:
    put(store, IDS[:1], "no picture {}")
    noted = Trying({"the other's": 0})

    def held_up(pictures: Sequence[bytes]) -> Codes:
        store.let_go(COLLECTION, GENERATION, "runner")
        with Turn(store, COLLECTION, GENERATION, "another"):
            store.tell_trying(COLLECTION, GENERATION, noted)
            raise TaxohashError("a picture is none")

    with pytest.raises(FencedError, match="is encoded by nobody now"):
        backfill(store, by_uri, held_up)
    assert not list(store.quarantined(COLLECTION, GENERATION))
    assert store.trying(COLLECTION, GENERATION) == noted


class Killed(BaseException):
    """The process is gone: nothing else of it happens."""


@pytest.mark.parametrize("call", range(40))
def test_killed_at_any_call_of_the_store_another_comes_to_the_same_end(
    store: CodeStore, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    put(store, IDS[:20])
    put(store, IDS[20:24], "no picture {}")
    calls, server = count(), store.server
    make, send, dead = server.call_all, server.command, threading.Event()

    def made(*arguments: Any, **options: Any) -> Any:
        if dead.is_set() or next(calls) == call:
            dead.set()
            raise Killed
        return make(*arguments, **options)

    def sent(*arguments: Any, **options: Any) -> Any:
        if dead.is_set() or next(calls) == call:
            dead.set()
            raise Killed
        return send(*arguments, **options)

    monkeypatch.setattr(server, "call_all", made)
    monkeypatch.setattr(server, "command", sent)
    with suppress(Killed), Turn(store, COLLECTION, GENERATION, "killed", seconds=600) as turn:
        run_pass(store, COLLECTION, GENERATION, by_uri, encode, turn, Pace())
    monkeypatch.undo()
    store.let_go(COLLECTION, GENERATION, "killed")  # its time has ended
    backfill(store, by_uri, encode)
    assert codes(store) == {i: code(f"https://here/{i}") for i in IDS[:20]}
    assert {entry.id for entry in store.quarantined(COLLECTION, GENERATION)} == set(IDS[20:24])
    assert store.trying(COLLECTION, GENERATION) == Trying()


def test_a_picture_that_ends_processes_is_found_and_put_aside(store: CodeStore) -> None:
    put(store, IDS)
    runs = 0

    def deadly(pictures: Sequence[bytes]) -> Codes:
        if b"https://here/item 5" in pictures:
            raise Killed
        return encode(pictures)

    while True:
        try:
            backfill(store, by_uri, deadly)
            break
        except Killed:
            runs += 1
            assert runs < 6
    assert runs == 4  # together with others, then alone
    assert codes(store).keys() == set(IDS) - {"item 5"}
    (entry,) = store.quarantined(COLLECTION, GENERATION)
    assert (entry.id, entry.reason) == ("item 5", "3 processes ended while they encoded it")


def test_one_that_was_told_to_end_leaves_no_suspects(store: CodeStore) -> None:
    put(store, IDS)

    def interrupted(_pictures: Sequence[bytes]) -> Codes:
        raise KeyboardInterrupt

    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            backfill(store, by_uri, interrupted)
    assert store.trying(COLLECTION, GENERATION) == Trying()
    assert backfill(store, by_uri, encode) == Backfilled(coded=ITEMS)


def test_a_picture_that_takes_too_much_memory_is_bad(store: CodeStore) -> None:
    put(store, IDS[:9])

    def large(pictures: Sequence[bytes]) -> Codes:
        if b"https://here/item 5" in pictures:
            raise MemoryError
        return encode(pictures)

    assert backfill(store, by_uri, large) == Backfilled(coded=8, quarantined=1)
    (entry,) = store.quarantined(COLLECTION, GENERATION)
    assert entry.reason == "it takes too much memory"


def test_one_place_that_does_not_answer_stops_nothing_and_all_of_them_do(
    store: CodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_UNANSWERED", 10)
    put(store, IDS)
    away = StoreUnavailableError("no answer")

    def reading(fails: Callable[[Lacking], bool]) -> Callable[[Lacking], bytes]:
        def read(item: Lacking) -> bytes:
            if fails(item):
                raise away
            return by_uri(item)

        return read

    done = backfill(store, reading(lambda item: item.id.endswith("3")), encode)
    assert done == Backfilled(coded=ITEMS - 3, unanswered=3)
    put(store, [f"more {i}" for i in range(10)])
    with pytest.raises(StoreUnavailableError):
        backfill(store, reading(lambda _item: True), encode)


def test_what_changes_or_goes_meanwhile_is_left_alone(store: CodeStore) -> None:
    put(store, IDS)

    def meanwhile(pictures: Sequence[bytes]) -> npt.NDArray[np.uint8]:
        if b"https://here/item 1" in pictures:
            put(store, ["item 1"], "https://there/{}")
        if b"https://here/item 2" in pictures:
            store.delete(COLLECTION, ["item 2"])
        return encode(pictures)

    done = backfill(store, by_uri, meanwhile)
    assert done == Backfilled(coded=ITEMS - 2, overtaken=2)
    assert codes(store).keys() == set(IDS) - {"item 1", "item 2"}
    assert backfill(store, by_uri, encode) == Backfilled(coded=1)
    assert codes(store)["item 1"] == code("https://there/item 1")


def test_interrupted_it_goes_on(store: CodeStore) -> None:
    put(store, IDS)
    calls = 0

    def interrupted(pictures: Sequence[bytes]) -> npt.NDArray[np.uint8]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return encode(pictures)

    with pytest.raises(KeyboardInterrupt):
        backfill(store, by_uri, interrupted)
    before = len(codes(store))
    assert 0 < before < ITEMS
    assert backfill(store, by_uri, encode).coded == ITEMS - before
    assert codes(store) == {i: code(f"https://here/{i}") for i in IDS}
