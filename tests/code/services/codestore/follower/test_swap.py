"""From one published generation to the next, while the store is written."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from services.codestore.follower.follower import Follower
from services.codestore.follower.protocol import Pace
from services.codestore.follower.source import Source
from services.codestore.follower.swap import Serving, Standing, Swap
from services.codestore.records import GenerationRef, Pointer, Token
from taxohash.errors import TaxohashError
from tests.support.follower_model import ModelReplica
from tests.support.follower_source import ModelSource, ModelStore
from tests.support.waiting import until

SEGMENTS = 4
QUICK = Pace(look=0.05, first_retry=0.01, last_retry=0.05)
LONG = 60.0  # seconds; waited for only where a test fails


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """What was stopped leaves no thread."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


class Replica(ModelReplica):
    """Rows, some of which have no code in this generation."""

    def __init__(self, segments: int, uncoded: set[str]) -> None:
        super().__init__([{} for _ in range(segments)])
        self.uncoded = uncoded

    def _has(self, item_id: str) -> bool:
        return any(item.split("=")[0] == item_id for rows in self.segments for item in list(rows.values()))

    def searchable(self, ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        return np.array([self._has(item_id) and item_id not in self.uncoded for item_id in ids], np.bool_)

    def lacking(self, ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        return np.array([self._has(item_id) and item_id in self.uncoded for item_id in ids], np.bool_)


class Published:
    """A collection with its pointer, and what happens when its generations are opened."""

    def __init__(self) -> None:
        self.model = ModelStore(SEGMENTS)
        self.generation: str | None = None
        self.positions: tuple[int, ...] = ()
        self.uncoded: dict[str, set[str]] = {}
        self.reasons: dict[str, dict[str, str]] = {}
        self.opening: Callable[[str], None] = lambda generation: None
        self.warming: Callable[[Serving[Replica, str]], None] = lambda serving: None
        self.opened: list[str] = []
        self.ended: list[float | None] = []

    def publish(self, generation: str | None) -> None:
        self.positions = tuple(segment.position for segment in self.model.server.segments)
        self.generation = generation

    def pointer(self) -> Pointer:
        self.model.check()
        ref = GenerationRef(self.generation, 64, "") if self.generation else None
        return Pointer(self.model.incarnation, ref, self.positions)

    def source(self, pointer: Pointer) -> ModelSource:
        assert pointer.generation
        return self.model.source(pointer.generation.id)

    def unencodable(self, generation: str, ids: Sequence[str]) -> Mapping[str, str]:
        self.model.check()
        reasons = self.reasons.get(generation, {})
        return {item_id: reasons[item_id] for item_id in ids if item_id in reasons}

    def open(self, ref: GenerationRef) -> Serving[Replica, str]:
        generation = ref.id
        self.opening(generation)
        self.opened.append(generation)
        replica = Replica(len(self.model.server.segments), self.uncoded.get(generation, set()))
        return Serving(generation, replica, f"hasher of {generation}")

    def swap(self) -> Swap[Replica, str]:
        return Swap(
            self,
            self.open,
            lambda serving: self.warming(serving),
            quickly,
            look_seconds=0.02,
            ended=self.ended.append,
        )


def quickly(source: Source, replica: Replica) -> Follower:
    return Follower(source, replica, pace=QUICK)


def served(swap: Swap[Replica, str]) -> str | None:
    serving = swap.serving
    return serving.generation if serving else None


def wait_for(event: threading.Event) -> None:
    assert event.wait(LONG)


def an_item(store: ModelStore) -> str:
    """Any item of the store."""
    return next(item.split("=")[0] for rows in store.rows() for item in rows.values())


def test_it_serves_what_is_published_and_goes_back() -> None:
    published = Published()
    published.model.write(100)
    with published.swap() as swap:
        assert not swap.wait_ready(0.05)
        until(lambda: "nothing is published" in swap.error)
        published.publish("a")
        assert swap.wait_ready(LONG)
        first = swap.serving
        assert first is not None
        assert (first.generation, first.engine, swap.error) == ("a", "hasher of a", "")
        assert first.replica.segments == published.model.rows()
        for generation in ("b", "a"):
            published.publish(generation)
            until(lambda: served(swap) == generation)  # noqa: B023
            assert swap.wait(published.model.write(3), LONG)
        assert swap.serving is not first
        assert first.replica.segments != published.model.rows()  # one who still holds it sees no more of it
    assert len(published.ended) == 3
    assert all(seconds is not None and 0 < seconds < math.inf for seconds in published.ended)


def test_the_next_one_is_loaded_beside_and_takes_over_when_it_is_warm() -> None:
    published = Published()
    published.publish("a")
    warm = threading.Event()
    with published.swap() as swap:
        assert swap.wait_ready(LONG)
        warming = list[str]()

        def warm_up(serving: Serving[Replica, str]) -> None:
            assert serving.replica.segments == published.model.rows()
            warming.append(serving.generation)
            assert warm.wait(LONG)

        published.warming = warm_up
        published.publish("b")
        until(lambda: warming)
        assert (served(swap), swap.loading) == ("a", "b")
        assert swap.wait(published.model.write(3), LONG)  # what is served follows on
        warm.set()
        until(lambda: served(swap) == "b")
        assert swap.loading is None


def test_it_waits_for_the_writes_of_the_publishing() -> None:
    published = Published()
    published.publish("a")
    with published.swap() as swap:
        assert swap.wait_ready(LONG)
        published.positions, published.generation = (10_000,), "b"
        until(lambda: "waits for the writes of its publishing" in swap.error)
        assert served(swap) == "a"
        published.positions = ()
        until(lambda: served(swap) == "b")
        until(lambda: swap.error == "")


def test_what_a_token_had_reached_before_a_swap_it_has_reached_after_it() -> None:
    published = Published()
    published.publish("a")
    stop = threading.Event()
    lost = list[Token]()

    def write() -> None:
        while not stop.is_set():
            token = published.model.write()
            if not swap.wait(token, LONG) or not swap.wait(token, 0.0):
                lost.append(token)

    writers = [threading.Thread(target=write) for _ in range(2)]
    with published.swap() as swap:
        assert swap.wait_ready(LONG)
        for writer in writers:
            writer.start()
        try:
            for generation in "bababa":
                published.publish(generation)
                until(lambda: served(swap) == generation)  # noqa: B023
        finally:
            stop.set()
            for writer in writers:
                writer.join()
    assert not lost


def test_one_that_is_behind_what_is_served_does_not_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.codestore.follower.swap._LEVEL_SECONDS", 0.01)
    published = Published()
    published.publish("a")
    reads = threading.Event()
    with published.swap() as swap:
        assert swap.wait_ready(LONG)
        token = list[Token]()

        def warm_up(serving: Serving[Replica, str]) -> None:
            published.model.calls = lambda generation: None if generation != "b" else wait_for(reads)
            token.append(published.model.write(3))
            assert swap.wait(token[0], LONG)

        published.warming = warm_up
        published.publish("b")
        until(lambda: token)
        time.sleep(0.2)  # in which it could take over
        takes_over_too_soon = served(swap) != "a"
        reads.set()
        assert not takes_over_too_soon
        until(lambda: served(swap) == "b")
        assert swap.wait(token[0], 0.0)


def test_an_item_without_a_code_in_the_newer_generation_is_being_encoded() -> None:
    published = Published()
    published.publish("a")
    with published.swap() as swap:
        assert swap.wait_ready(LONG)
        token = published.model.write(20)
        item = an_item(published.model)
        assert swap.answer(token, [item, "never"], LONG) == {
            item: Standing("searchable"),
            "never": Standing("absent"),
        }
        published.uncoded["b"] = {item}
        published.publish("b")
        until(lambda: served(swap) == "b")
        assert swap.answer(token, [item], LONG) == {item: Standing("being encoded")}
        published.reasons = {"b": {item: "its picture cannot be read: it is a page"}}
        told = Standing("cannot be encoded", "its picture cannot be read: it is a page")
        assert swap.answer(token, [item, "never"], LONG) == {item: told, "never": Standing("absent")}
        published.model.down = "cut"
        assert swap.answer(token, [item]) == {item: Standing("being encoded")}  # nobody can tell otherwise
        later = published.model.token({0: 10_000})
        assert swap.answer(later, [item]) == {item: Standing("not yet applied")}


@pytest.mark.parametrize(
    "wrong", [TaxohashError("its hasher is not there"), RuntimeError("its hasher is not there")]
)
@pytest.mark.parametrize("step", ["opening", "warming"])
def test_one_that_cannot_be_loaded_leaves_the_old_one_and_is_tried_again(
    step: str, wrong: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.codestore.follower.swap._FIRST_RETRY_SECONDS", 0.01)
    published = Published()
    published.publish("a")
    with published.swap() as swap:
        assert swap.wait_ready(LONG)
        works = getattr(published, step)

        def fail(_: object) -> None:
            raise wrong

        setattr(published, step, fail)
        published.publish("b")
        until(lambda: "generation b is not loaded: " in swap.error)
        failed = time.monotonic()
        assert "its hasher is not there" in swap.error
        assert served(swap) == "a"
        assert swap.wait(published.model.write(3), LONG)
        until(lambda: len(published.ended) > 5)
        tried_for = time.monotonic() - failed
        setattr(published, step, works)
        until(lambda: served(swap) == "b")
        until(lambda: swap.error == "")
    first, *failures, last = published.ended
    assert first is not None
    assert failures
    assert not any(failures)
    assert last is not None
    assert last >= tried_for


def test_one_that_is_taken_back_while_it_is_loaded_is_let_go() -> None:
    published = Published()
    published.publish("a")
    with published.swap() as swap:
        assert swap.wait_ready(LONG)
        published.positions, published.generation = (10_000,), "b"
        until(lambda: swap.loading == "b")
        published.publish("a")
        until(lambda: swap.loading is None)
        assert served(swap) == "a"
        until(lambda: published.model.leases["b"][-1] == 0)


def test_a_store_that_does_not_answer_changes_nothing() -> None:
    published = Published()
    published.publish("a")
    with published.swap() as swap:
        assert swap.wait_ready(LONG)
        published.model.down = "the store does not answer"
        until(lambda: "the store does not answer" in swap.error)
        assert served(swap) == "a"
        published.model.down = ""
        published.publish("b")
        until(lambda: served(swap) == "b")


def test_a_collection_made_anew_is_loaded_beside_too() -> None:
    published = Published()
    published.model.write(50)
    published.publish("a")
    with published.swap() as swap:
        assert swap.wait_ready(LONG)
        before = swap.serving
        published.model.wipe(2)
        until(lambda: swap.follower is not None and swap.follower.state == "stale")
        assert swap.serving is before
        published.publish("a")
        until(lambda: swap.serving is not before)
        assert swap.wait(published.model.write(3), LONG)


def test_a_follower_that_failed_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    published = Published()
    published.publish("a")
    with published.swap() as swap:
        assert swap.wait_ready(LONG)
        first = swap.serving
        assert first is not None
        monkeypatch.setattr(first.replica, "write", None)
        token = published.model.write()
        assert swap.wait(token, LONG)
        assert swap.serving is not first
    assert None not in published.ended[:2]
    assert len(published.ended) == 2


def test_one_that_was_never_started_can_be_stopped() -> None:
    swap = Published().swap()
    swap.stop()
    assert swap.serving is None


def test_a_wait_ends_when_it_is_stopped() -> None:
    published = Published()
    with published.swap() as swap:
        waiter = threading.Thread(target=swap.wait, args=(Token("11111111", {0: 1}), LONG))
        waiter.start()
        time.sleep(0.02)
    waiter.join(LONG / 2)
    assert not waiter.is_alive()
