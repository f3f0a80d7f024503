"""A turn: one runner at a time, renewed while it is used, and told when it was lost."""

import threading
from collections.abc import Iterator

import pytest

from services.codestore import CodeStore, FencedError, StoreUnavailableError
from services.codestore.backfill import TakenError, Turn, runner_name
from services.codestore.turns import FOLLOWING
from taxohash.errors import TaxohashError
from tests.support.tiny import TAXONOMY
from tests.support.waiting import until


@pytest.fixture
def store() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as made:
        made.create("c", TAXONOMY, segments=2)
        yield made


def test_it_is_one_runners_at_a_time_and_the_next_ones_writes_are_numbered_higher(store: CodeStore) -> None:
    with Turn(store, "c", "g", "first") as turn:
        with (
            pytest.raises(TakenError, match="generation g is encoded by first"),
            Turn(store, "c", "g", "other"),
        ):
            pass
        with Turn(store, "c", "h", "other"), Turn(store, "c", FOLLOWING, "other"):
            assert {name: lease.runner for name, lease in store.held("c").items()} == {
                "g": "first",
                "h": "other",
                FOLLOWING: "other",
            }
        writes = [turn.next_write() for _ in range(3)]
    assert store.held("c") == {}
    assert [write.number for write in writes] == sorted({write.number for write in writes})
    with Turn(store, "c", "g", "other") as later:
        assert later.next_write().number > writes[-1].number
        assert later.next_write().writer == writes[0].writer


def test_it_is_renewed_while_the_block_lasts(store: CodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed, hold = threading.Semaphore(0), store.hold

    def counted(collection: str, name: str, runner: str, seconds: float) -> object:
        lease = hold(collection, name, runner, seconds)
        renewed.release()
        return lease

    monkeypatch.setattr(store, "hold", counted)
    with Turn(store, "c", "g", "first", seconds=0.3) as turn:
        for _ in range(5):
            assert renewed.acquire(timeout=60)
        turn.check()
        turn.ask()


def test_a_store_that_is_away_for_a_moment_ends_nothing(
    store: CodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, hold = threading.Semaphore(0), store.hold

    def away(*_arguments: object) -> None:
        asked.release()
        raise StoreUnavailableError("the store is away")

    with Turn(store, "c", "g", "first", seconds=0.1) as turn:
        monkeypatch.setattr(store, "hold", away)
        assert asked.acquire(timeout=60)
        assert asked.acquire(timeout=60)
        monkeypatch.setattr(store, "hold", hold)
        turn.ask()
        monkeypatch.setattr(store, "let_go", away)


@pytest.mark.parametrize("let_go", [False, True])
def test_one_that_another_had_meanwhile_is_lost(store: CodeStore, let_go: bool) -> None:
    with Turn(store, "c", "g", "first", seconds=0.05) as turn:
        store.let_go("c", "g", "first")  # as if its time had ended while it was held up
        lease = store.hold("c", "g", "other", 600)
        if let_go and lease.runner == "other":
            store.let_go("c", "g", "other")

        def lost() -> bool:
            try:
                turn.check()
            except FencedError:
                return True
            return False

        until(lost)
        with pytest.raises(FencedError, match="generation g is encoded by another runner since"):
            turn.next_write()


def test_a_lease_ends_by_itself(store: CodeStore) -> None:
    first = store.hold("c", "g", "first", 0.01)
    until(lambda: store.hold("c", "g", "other", 60).runner == "other")
    assert store.held("c")["g"].token > first.token
    store.let_go("c", "g", "first")  # not its own any more
    assert store.held("c")["g"].runner == "other"


def test_one_that_ended_and_that_nobody_has_taken_goes_on(store: CodeStore) -> None:
    first = store.hold("c", "g", "first", 1e-6)
    until(lambda: not store.held("c"))
    assert store.hold("c", "g", "first", 60).token == first.token


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), 1e9])
def test_what_cannot_be_held_is_refused(store: CodeStore, seconds: float) -> None:
    with pytest.raises(TaxohashError, match="cannot be held for"):
        store.hold("c", "g", "first", seconds)
    with pytest.raises(TaxohashError, match="is no name"):
        store.hold("c", "g", "a\nb", 1)


def test_runners_have_names_of_their_own() -> None:
    assert runner_name() != runner_name()
    assert runner_name().isprintable()
