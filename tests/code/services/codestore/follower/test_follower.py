"""The threads of a follower, against a store that is written, cut, trimmed and wiped meanwhile."""

import threading
import time
from collections.abc import Collection, Iterator, Sequence

import pytest

from services.codestore.follower.follower import Follower
from services.codestore.follower.protocol import Pace
from services.codestore.records import Columns, Token
from taxohash.errors import TaxohashError
from tests.support.follower_model import ModelReplica
from tests.support.follower_source import ModelStore
from tests.support.waiting import until

SEGMENTS = 4
QUICK = Pace(look=0.05, first_retry=0.01, last_retry=0.05)
DEAF = Pace(look=3600, first_retry=0.01, last_retry=0.05)  # without hints it sees nothing
LONG = 60.0  # seconds; waited for only where a test fails


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """A follower that was stopped leaves no thread."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def replica() -> ModelReplica:
    return ModelReplica([{} for _ in range(SEGMENTS)])


def test_it_loads_and_follows() -> None:
    store = ModelStore(SEGMENTS)
    store.write(300)
    with Follower(store.source(), found := replica(), pace=DEAF) as follower:
        assert follower.wait_ready(LONG)
        assert found.segments == store.rows()
        for _ in range(50):
            token = store.write(3)
            assert follower.wait(token, LONG)
            assert found.segments == store.rows()
        assert follower.lag().entries == 0
        assert (follower.state, follower.error, follower.ready) == ("following", "", True)
    assert (follower.state, follower.alive, follower.covers(token)) == ("stopped", False, True)
    assert not follower.wait(store.token({0: 10**6}), LONG)


def test_a_write_is_seen_by_its_hint_alone_and_by_its_token_alone() -> None:
    store = ModelStore(SEGMENTS)
    with Follower(store.source(), replica(), pace=DEAF) as follower:
        assert follower.wait_ready(LONG)
        until(lambda: store.listeners)
        token = store.write()
        until(lambda: follower.covers(token))
        store.deaf = True
        token = store.write()
        assert not follower.covers(token)
        assert follower.wait(token, LONG)


def test_without_hints_it_looks_by_itself() -> None:
    store = ModelStore(SEGMENTS)
    store.deaf = True
    with Follower(store.source(), found := replica(), pace=QUICK) as follower:
        assert follower.wait_ready(LONG)
        token = store.write(5)
        until(lambda: follower.covers(token))
        assert found.segments == store.rows()


def test_messages_that_say_nothing_are_no_hints() -> None:
    store = ModelStore(SEGMENTS)
    with Follower(store.source(), replica(), pace=DEAF) as follower:
        assert follower.wait_ready(LONG)
        until(lambda: store.listeners)
        for message in (b"", b"published", b"\xff 1", b"1 x", b"99 1", b"-1", b"1"):
            store.publish(message)
        assert follower.wait(store.write(), LONG)
        assert follower.state == "following"


def test_many_writes_are_few_requests() -> None:
    store = ModelStore(SEGMENTS)
    with Follower(store.source(), found := replica(), pace=DEAF) as follower:
        assert follower.wait_ready(LONG)
        until(lambda: store.listeners)
        store.calls = lambda generation: time.sleep(0.02)
        before = store.made
        assert follower.wait(store.write(2000), LONG)
        assert store.made - before < 500
        assert found.segments == store.rows()


def test_a_cut_is_told_and_resumed() -> None:
    store = ModelStore(SEGMENTS)
    store.write(100)
    with Follower(store.source(), found := replica(), pace=QUICK) as follower:
        assert follower.wait_ready(LONG)
        store.down = "the store does not answer"
        until(lambda: follower.state == "cut")
        assert "the store does not answer" in follower.error
        assert follower.ready
        assert not follower.wait(token := store.write(30), 0.05)
        store.down = ""
        assert follower.wait(token, LONG)
        until(lambda: follower.state == "following")
        assert found.segments == store.rows()


def test_hints_that_were_lost_in_a_cut_are_made_good() -> None:
    store = ModelStore(SEGMENTS)
    with Follower(store.source(), replica(), pace=DEAF) as follower:
        assert follower.wait_ready(LONG)
        store.down = "cut"
        until(lambda: "without hints" in follower.error)
        token = store.write(3)
        store.down = ""
        until(lambda: follower.covers(token))


def test_it_starts_while_the_store_is_away() -> None:
    store = ModelStore(SEGMENTS)
    store.write(10)
    store.down = "not yet"
    with Follower(store.source(), found := replica(), pace=QUICK) as follower:
        assert not follower.wait_ready(0.05)
        assert (follower.state, follower.ready) == ("cut", False)
        store.down = ""
        assert follower.wait_ready(LONG)
        assert found.segments == store.rows()


def test_what_is_trimmed_is_loaded_anew() -> None:
    store = ModelStore(SEGMENTS)
    store.write(100)
    with Follower(store.source(), found := replica(), pace=DEAF) as follower:
        assert follower.wait_ready(LONG)
        store.deaf = True
        token = store.write(200)
        for _ in range(50):
            store.trim()
        assert follower.wait(token, LONG)
        assert found.segments == store.rows()


@pytest.mark.parametrize("end", ["gone", "stale"])
def test_the_end_is_told_and_the_replica_stays(end: str) -> None:
    store = ModelStore(SEGMENTS)
    store.write(50)
    with Follower(store.source(), found := replica(), pace=QUICK) as follower:
        assert follower.wait_ready(LONG)
        rows = store.rows()
        store.server.ended = end
        until(lambda: follower.state == end)
        assert not follower.wait(store.token({0: 10**6}), LONG)
        assert (follower.ready, follower.alive, found.segments) == (True, False, rows)


def test_an_error_that_nobody_foresaw_is_told() -> None:
    class Wrong:
        def write(self, columns: Sequence[Columns], reset: Collection[int]) -> None:
            raise IndexError("row 7 of 3")

    with Follower(ModelStore(SEGMENTS).source(), Wrong(), pace=QUICK) as follower:
        assert not follower.wait_ready(LONG)
        assert follower.state == "failed"
        assert follower.error.startswith("IndexError: row 7 of 3 in ")


def test_an_error_that_nobody_foresaw_in_a_request_is_told() -> None:
    store = ModelStore(SEGMENTS)

    def wrong(generation: str) -> None:
        raise KeyError("total")

    store.calls = wrong
    with Follower(store.source(), replica(), pace=QUICK) as follower:
        until(lambda: follower.state == "failed")
        assert "KeyError" in follower.error


def test_its_generation_is_leased_and_given_back() -> None:
    store = ModelStore(SEGMENTS)
    with Follower(store.source("g7"), replica(), pace=QUICK, lease_seconds=0.06):
        until(lambda: len(store.leases.get("g7", [])) >= 3)
        assert set(store.leases["g7"]) == {0.06}
    assert store.leases["g7"][-1] == 0


def test_a_lease_that_is_not_taken_is_told_and_tried_again() -> None:
    store = ModelStore(SEGMENTS)
    store.down = "no lease today"
    with Follower(store.source(), replica(), pace=QUICK, lease_seconds=0.06) as follower:
        until(lambda: "no lease today" in follower.error)
        store.down = ""
        until(lambda: store.leases)


def test_while_it_is_held_nothing_is_applied() -> None:
    store = ModelStore(SEGMENTS)
    with Follower(store.source(), found := replica(), pace=DEAF) as follower:
        assert follower.wait_ready(LONG)
        with follower.held() as held:
            rows = store.rows()
            token = store.write(20)
            assert not follower.wait(token, 0.05)
            assert found.segments == rows
            assert follower.token == held
        assert follower.wait(token, LONG)


def test_seconds_that_a_write_waited_are_told() -> None:
    store, seen = ModelStore(SEGMENTS), list[float]()
    with Follower(store.source(), replica(), pace=DEAF, on_visible=seen.append) as follower:
        assert follower.wait_ready(LONG)
        assert follower.wait(store.write(), LONG)
        until(lambda: len(seen) == 1)
        assert seen[0] > 0


def test_a_follower_that_was_never_started_can_be_stopped() -> None:
    follower = Follower(ModelStore(SEGMENTS).source(), replica())
    follower.stop()
    assert follower.state == "stopped"


@pytest.mark.parametrize(
    ("token", "said"), [("11111111.9-1", "names segment 9"), ("22222222.0-1", "before it was wiped")]
)
def test_a_token_of_another_collection_is_refused(token: str, said: str) -> None:
    with (
        Follower(ModelStore(SEGMENTS).source(), replica(), pace=QUICK) as follower,
        pytest.raises(TaxohashError, match=said),
    ):
        follower.wait(Token.parse(token), LONG)
