"""The backfill as a process of its own, without the process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from pipelines.backfill import follow as module
from pipelines.backfill.encode import Encoder, in_folder
from pipelines.backfill.follow import awaited, follow
from services.codestore import CodeStore, Item, StoreUnavailableError
from services.codestore.backfill import Turn
from services.codestore.pictures.sources import PictureSources
from services.codestore.turns import FOLLOWING
from taxohash.generation.hasher import Hasher
from tests.support.backfills import COLLECTION


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(module, "announce", found.append)
    return found


class EndError(Exception):
    """Nothing more is to happen."""


def followed(
    store: CodeStore, folder: Path, *events: Callable[[], object], collection: str = COLLECTION
) -> None:
    """Follow it, while one thing happens after the other, each in a second's sleep."""
    left = iter(events)

    def sleep(seconds: float) -> None:
        assert 0 < seconds <= 1
        try:
            happens = next(left)
        except StopIteration:
            raise EndError from None
        happens()

    encoder = Encoder(store, collection, in_folder(folder / "generations"), PictureSources.from_environment())
    with pytest.raises(EndError):
        follow(store, collection, encoder, sleep)


def nothing() -> None:
    """A second passes."""


def test_a_store_that_starts_later_is_waited_for(store: CodeStore, told: list[str]) -> None:
    waits = ["host name 'codestore' is not known", "Connection refused", "Connection refused", None]
    slept: list[float] = []

    @contextmanager
    def connect() -> Iterator[CodeStore]:
        if reason := waits.pop(0):
            raise StoreUnavailableError(reason)
        yield store

    with awaited(connect, slept.append) as found:
        assert found is store
    assert slept == [1.0] * 3
    assert told == [
        f"{reason}; waiting for it" for reason in ("host name 'codestore' is not known", "Connection refused")
    ]


def test_a_store_that_goes_away_is_not_begun_with_again(store: CodeStore) -> None:
    with pytest.raises(StoreUnavailableError), awaited(lambda: nullcontext(store)):
        raise StoreUnavailableError("away")


def test_what_comes_is_encoded_within_a_second(
    store: CodeStore, hashers: list[Hasher], tmp_path: Path, told: list[str]
) -> None:
    counts: list[int] = []

    def count() -> None:
        counts.append(store.count(COLLECTION, hashers[1].generation.id))

    def put() -> None:
        count()
        store.upsert(COLLECTION, [Item("new", uri=f"file://{tmp_path}/a.png")])

    followed(store, tmp_path, put, count)
    assert counts == [3, 4]
    assert told[0].startswith(f"following collection {COLLECTION} as ")
    assert store.held(COLLECTION) == {}  # let go where it ended


def test_another_that_follows_is_waited_for(
    store: CodeStore, hashers: list[Hasher], tmp_path: Path, told: list[str]
) -> None:
    counts: list[int] = []
    with Turn(store, COLLECTION, FOLLOWING, "another") as turn:

        def end() -> None:
            counts.append(store.count(COLLECTION, hashers[0].generation.id))
            turn.__exit__(None, None, None)

        followed(store, tmp_path, nothing, nothing, end, nothing)
    assert counts == [0]
    assert told[0] == "another follows collection default: waiting until it ends"
    assert told[1].startswith("following")
    assert store.count(COLLECTION, hashers[0].generation.id) == 3


def test_it_goes_on_after_a_store_that_was_away_or_is_not_there_yet(
    store: CodeStore, tmp_path: Path, told: list[str]
) -> None:
    patch = pytest.MonkeyPatch()

    def away(*_arguments: object) -> object:
        raise StoreUnavailableError("the store is away")

    def go() -> None:
        patch.setattr(store, "state", away)

    followed(store, tmp_path, go, nothing, nothing, patch.undo, nothing)
    assert [line.partition(" collection")[0] for line in told] == [
        "following",
        "the store is away",
        "following",
    ]
    told.clear()
    followed(store, tmp_path, nothing, nothing, collection="later")
    assert told[1:] == ["there is no collection later yet: waiting for it"]


def test_one_that_was_held_up_makes_way(store: CodeStore, tmp_path: Path, told: list[str]) -> None:
    def other() -> None:
        runner = store.held(COLLECTION)[FOLLOWING].runner
        store.let_go(COLLECTION, FOLLOWING, runner)
        assert store.hold(COLLECTION, FOLLOWING, "another", 600).runner == "another"

    check = Turn.check

    def asking(turn: Turn) -> None:
        turn._renew_once()  # as its thread does, a few seconds later
        check(turn)

    with pytest.MonkeyPatch().context() as patched:
        patched.setattr(Turn, "check", asking)
        followed(store, tmp_path, other, nothing, nothing)
    assert "by another runner since this one was held up" in told[1]
    assert told[2] == "another follows collection default: waiting until it ends"
