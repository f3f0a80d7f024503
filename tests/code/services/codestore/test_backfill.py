"""Items that came without a code get one, whatever becomes of them meanwhile."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from services.codestore import CodeStore, GenerationRef, Item, Lacking, StoreUnavailableError
from services.codestore import backfill as module
from services.codestore.backfill import Backfilled, backfill
from services.codestore.pictures import Pictures
from services.codestore.pictures.sources import PictureSources
from services.codestore.pictures.uris import UriReader, parse_prefixes
from taxohash.errors import TaxohashError
from tests.support.tiny import TAXONOMY

COLLECTION, GENERATION = "catalog", "g1"
ITEMS = 30


@pytest.fixture
def store() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as made:
        made.create(COLLECTION, TAXONOMY, segments=2)
        made.begin(COLLECTION, GenerationRef(GENERATION, 16, TAXONOMY.sha256))
        yield made


@pytest.fixture(autouse=True)
def few_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 7)


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
    done = backfill(store, COLLECTION, GENERATION, by_uri, encode, progress=looked.append)
    assert done == Backfilled(coded=ITEMS)
    assert codes(store) == {i: code(f"https://here/{i}") for i in IDS} | {"coded": b"\1\2"}
    assert looked == sorted(looked)
    assert looked[-1] == ITEMS
    assert backfill(store, COLLECTION, GENERATION, by_uri, encode) == Backfilled()


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
    done = backfill(store, COLLECTION, GENERATION, sources.read, encode, told=told.append)
    assert done == Backfilled(coded=3, failed=1)
    assert codes(store) == {
        "by content": code("by content"),
        "by address": code("by address"),
        "of the data": code("data"),
    }
    (line,) = told
    assert line.startswith("item 'elsewhere' is passed over: ")


@pytest.mark.parametrize("bad", [["item 3"], ["item 0", "item 4", "item 5"], IDS[1:]])
def test_bad_pictures_are_told_and_stop_nothing(store: CodeStore, bad: list[str]) -> None:
    put(store, [item_id for item_id in IDS if item_id not in bad])
    put(store, bad, "no picture {}")
    told: list[str] = []
    done = backfill(store, COLLECTION, GENERATION, by_uri, encode, told=told.append)
    assert done == Backfilled(coded=ITEMS - len(bad), failed=len(bad))
    assert codes(store).keys() == set(IDS) - set(bad)
    assert len(told) == min(len(bad), 20)
    assert all("is passed over: a picture is none" in line for line in told)


def test_one_place_that_does_not_answer_stops_nothing_and_all_of_them_do(
    store: CodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_UNANSWERED", 10)
    put(store, IDS)
    away = StoreUnavailableError("no answer")

    def reading(fails: Callable[[Lacking], bool]) -> Callable[[Lacking], bytes]:
        def read(item: Lacking) -> bytes:
            if fails(item):
                raise away
            return by_uri(item)

        return read

    done = backfill(store, COLLECTION, GENERATION, reading(lambda item: item.id.endswith("3")), encode)
    assert done == Backfilled(coded=ITEMS - 3, failed=3)
    put(store, [f"more {i}" for i in range(10)])
    with pytest.raises(StoreUnavailableError):
        backfill(store, COLLECTION, GENERATION, reading(lambda _item: True), encode)


def test_what_changes_or_goes_meanwhile_is_left_alone(store: CodeStore) -> None:
    put(store, IDS)

    def meanwhile(pictures: Sequence[bytes]) -> npt.NDArray[np.uint8]:
        if b"https://here/item 1" in pictures:
            put(store, ["item 1"], "https://there/{}")
        if b"https://here/item 2" in pictures:
            store.delete(COLLECTION, ["item 2"])
        return encode(pictures)

    done = backfill(store, COLLECTION, GENERATION, by_uri, meanwhile)
    assert done == Backfilled(coded=ITEMS - 2, overtaken=2)
    assert codes(store).keys() == set(IDS) - {"item 1", "item 2"}
    assert backfill(store, COLLECTION, GENERATION, by_uri, encode) == Backfilled(coded=1)
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
        backfill(store, COLLECTION, GENERATION, by_uri, interrupted)
    before = len(codes(store))
    assert 0 < before < ITEMS
    assert backfill(store, COLLECTION, GENERATION, by_uri, encode).coded == ITEMS - before
    assert codes(store) == {i: code(f"https://here/{i}") for i in IDS}
