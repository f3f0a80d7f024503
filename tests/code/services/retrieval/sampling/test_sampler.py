"""Which queries are kept, what of them goes and when, and that a store that fails costs nobody anything."""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import time
from typing import Any

import pytest

from services.codestore.connection import StoreUnavailableError
from services.codestore.pictures import digest_of
from services.codestore.places import Place
from services.codestore.sampled import Facts, Kept, Node, SampledQueries, SampledQuery
from services.metrics import REGISTRIES
from services.retrieval.sampling import Sampler, sampler
from services.retrieval.settings import Sampling
from taxohash.errors import TaxohashError
from tests.support.application import Client
from tests.support.generations import pictures
from tests.support.waiting import until

ALL = Sampling(share=1.0)
NONE = Sampling(share=0.0)
ANSWER = {"generation": "g", "bits": 8, "code": "0f", "results": [{"id": "secret"}], "took_ms": 3.0}
PIXELS = "0" * 16
LONG = 60.0


class Failing(SampledQueries):
    """Its first calls fail, or hold whoever calls until they are let go."""

    def __init__(self, place: Place, failures: int = 0, held: bool = False) -> None:
        super().__init__(place, "default")
        self.failures, self.tried = failures, 0
        self.go, self.reached = threading.Event(), threading.Event()
        if not held:
            self.go.set()

    def keep(self, query: SampledQuery) -> Kept:
        self.tried += 1
        self.reached.set()
        assert self.go.wait(LONG)
        if self.tried <= self.failures:
            raise StoreUnavailableError("the store is full: make room")
        return super().keep(query)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.open(tmp_path, "pictures")


@pytest.fixture
def queries(place: Place) -> SampledQueries:
    return SampledQueries(place, "default")


@pytest.fixture
def sampling() -> Iterator[Callable[..., Sampler]]:
    """Samplers that run, and end with the test."""
    made: list[Sampler] = []

    def run(*values: Any, **named: Any) -> Sampler:
        made.append(Sampler(*values, **named))
        made[-1].start()
        return made[-1]

    yield run
    for one in made:
        one.stop(LONG)


@pytest.fixture
def busy(place: Place, sampling: Callable[..., Sampler]) -> tuple[Failing, Sampler]:
    """A sampler that is writing one picture to a store which lets it go when it is told to."""
    slow = Failing(place, held=True)
    running = sampling(slow, ALL)
    offer(running)
    until(slow.reached.is_set)
    return slow, running


def count(outcome: str) -> float:
    return (
        REGISTRIES["retrieval"].get_sample_value("taxohash_sampled_queries_total", {"outcome": outcome})
        or 0.0
    )


def offer(to: Sampler, picture: bytes = b"picture", **more: Any) -> None:
    to.offer(picture, PIXELS, ANSWER, lambda: 3, **more)


def kept_in(queries: SampledQueries, number: int) -> list[SampledQuery]:
    """What is kept, once it is so much."""
    until(lambda: len(queries.kept()) == number)
    return list(queries.queries())


# -- what is kept ----------------------------------------------------------------------------------


def test_a_query_is_kept_with_what_was_answered_and_nothing_else(
    queries: SampledQueries, sampling: Callable[..., Sampler]
) -> None:
    before = int(time())
    running, path = sampling(queries, ALL), [{"name": "warm", "confidence": 0.9}]
    running.offer(b"a", PIXELS, ANSWER, lambda: 3)
    running.offer(
        b"b", PIXELS, ANSWER | {"predicted": path, "unlike": False, "novelty": 0.5}, lambda: 8, True
    )
    running.stop(LONG)
    one, other = sorted(queries.queries(), key=lambda query: query.picture)
    assert before <= one.facts.when <= time()
    least = Facts(when=one.facts.when, share=1.0, generation="g", bits=8, code="0f", pixels=PIXELS, nearest=3)
    assert one == SampledQuery(b"a", least)
    assert (other.picture, other.facts.nearest, other.facts.identical) == (b"b", 8, True)
    assert other.facts.predicted == (Node(name="warm", confidence=0.9),)
    assert (other.facts.unlike, other.facts.novelty) == (False, 0.5)


def test_chance_decides_by_the_share(queries: SampledQueries, sampling: Callable[..., Sampler]) -> None:
    drawn = iter([0.0, 0.25, 0.2, 0.9])
    running = sampling(queries, Sampling(share=0.25), lambda: next(drawn))
    for picture in (b"first", b"second", b"third", b"fourth"):
        offer(running, picture)
    running.stop(LONG)
    assert {query.picture for query in queries.queries()} == {b"first", b"third"}
    assert {query.facts.share for query in queries.queries()} == {0.25}


def test_nothing_is_kept_by_default(queries: SampledQueries, sampling: Callable[..., Sampler]) -> None:
    running = sampling(queries, Sampling(), lambda: 0.0)
    offer(running)
    running.stop(LONG)
    assert queries.kept() == []


def test_without_a_store_of_pictures_nothing_can_be_sampled() -> None:
    with pytest.raises(
        TaxohashError, match=r"TAXOHASH_SAMPLE_SHARE is 0\.5 and there is no store.*set TAXOHASH_PICTURES"
    ):
        Sampler(None, Sampling(share=0.5))
    without = Sampler(None, NONE)
    without.start()
    offer(without)
    without.forget([digest_of(b"picture")])
    without.stop(LONG)


# -- what goes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bounds", [{"most": 3}, {"most_bytes": 800}])
def test_over_a_bound_the_oldest_goes(
    queries: SampledQueries, sampling: Callable[..., Sampler], bounds: dict[str, int]
) -> None:
    size = queries.keep(asked_at(1)).size
    running = sampling(queries, Sampling(share=1.0, **bounds))
    for _ in range(8):
        offer(running)
    most = bounds.get("most") or bounds["most_bytes"] // size
    running.stop(LONG)
    later = sampling(queries, Sampling(share=1.0, **bounds))  # the last may have come after the last look
    left = kept_in(queries, most)
    assert 1 not in {query.facts.when for query in left}
    later.stop(LONG)


def asked_at(when: float, picture: bytes = b"picture") -> SampledQuery:
    return SampledQuery(
        picture, Facts(when=int(when), share=1.0, generation="g", bits=8, code="0f", pixels=PIXELS, nearest=3)
    )


@pytest.mark.parametrize("share", [1.0, 0.0])
def test_what_expired_goes_after_a_restart_though_nobody_asks(
    queries: SampledQueries, sampling: Callable[..., Sampler], share: float
) -> None:
    now = time()
    queries.keep(asked_at(now - 7200))
    queries.keep(asked_at(now - 60))
    sampling(queries, Sampling(share=share, seconds=3600.0))
    assert [query.facts.when for query in kept_in(queries, 1)] == [int(now - 60)]


def test_what_expires_while_it_runs_goes(queries: SampledQueries, sampling: Callable[..., Sampler]) -> None:
    running = sampling(queries, Sampling(share=1.0, seconds=1.0))
    before = count("kept")
    offer(running)
    until(lambda: count("kept") == before + 1 and queries.kept() == [])


def test_two_processes_keep_no_more_and_no_less_than_one(
    queries: SampledQueries, place: Place, sampling: Callable[..., Sampler]
) -> None:
    others = SampledQueries(place, "default")
    running = [sampling(own, Sampling(share=1.0, most=5)) for own in (queries, others)]
    for _ in range(10):
        for one in running:
            offer(one)
    for one in running:
        one.stop(LONG)
    sampling(queries, Sampling(most=5))
    assert len(kept_in(queries, 5)) == 5


def test_a_deleted_picture_is_forgotten_also_where_it_waits(
    queries: SampledQueries, busy: tuple[Failing, Sampler]
) -> None:
    slow, running = busy
    queries.keep(asked_at(time()))
    offer(running)  # waits
    offer(running, b"other")
    running.forget([digest_of(b"picture")])
    assert queries.kept() == []
    slow.go.set()
    until(lambda: slow.tried == 3 and {one.digest for one in queries.kept()} == {digest_of(b"other")})


def test_a_deleted_picture_that_another_process_keeps_later_goes_with_the_next_look(
    queries: SampledQueries, sampling: Callable[..., Sampler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "_AGAIN_SECONDS", 0.2)
    running = sampling(queries, NONE)
    asked = time()
    running.forget([digest_of(b"picture")])
    queries.keep(asked_at(asked))
    queries.keep(asked_at(asked + 100))  # after the deletion
    assert [query.facts.when for query in kept_in(queries, 1)] == [int(asked + 100)]


# -- when the store fails --------------------------------------------------------------------------


def test_what_cannot_be_kept_is_counted_and_told_in_one_line_and_the_next_is_kept(
    place: Place,
    sampling: Callable[..., Sampler],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(sampler, "_PAUSE_SECONDS", 0.0)
    queries = Failing(place, failures=2)
    failed, kept = count("failed"), count("kept")
    with caplog.at_level(logging.WARNING):
        running = sampling(queries, ALL)
        for _ in range(3):
            offer(running)
        running.stop(LONG)
    assert (count("failed"), count("kept")) == (failed + 2, kept + 1)
    line = "a sampled query is not kept: the store is full: make room"
    assert [record.getMessage() for record in caplog.records] == [line, line]


def test_an_error_that_nobody_foresaw_ends_nothing(
    queries: SampledQueries, sampling: Callable[..., Sampler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "_PAUSE_SECONDS", 0.0)
    failed = count("failed")
    running = sampling(queries, ALL)
    running.offer(b"picture", PIXELS, ANSWER, lambda: 1 // 0)
    offer(running)
    kept_in(queries, 1)
    assert count("failed") == failed + 1


def test_looks_that_fail_are_counted_and_told(
    queries: SampledQueries,
    sampling: Callable[..., Sampler],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def away() -> list[Kept]:
        raise StoreUnavailableError("the store is away: start it")

    def left() -> float:
        return REGISTRIES["retrieval"].get_sample_value("taxohash_sampled_queries_left_total") or 0.0

    monkeypatch.setattr(queries, "kept", away)
    before = left()
    with caplog.at_level(logging.WARNING):
        running = sampling(queries, NONE)
        until(lambda: left() == before + 1)
        running.stop(LONG)
    (record,) = caplog.records
    assert (
        record.getMessage() == "sampled queries that have to go are not removed: the store is away: start it"
    )


def test_who_offers_never_waits_and_what_does_not_fit_is_counted(
    queries: SampledQueries, busy: tuple[Failing, Sampler]
) -> None:
    slow, running = busy
    dropped = count("dropped")
    for _ in range(sampler._WAITING + 5):
        offer(running)
    assert count("dropped") == dropped + 5
    slow.go.set()
    assert len(kept_in(queries, sampler._WAITING + 1)) == sampler._WAITING + 1


def test_so_many_bytes_wait_and_no_more(busy: tuple[Failing, Sampler]) -> None:
    slow, running = busy
    dropped = count("dropped")
    large = bytes(sampler._WAITING_BYTES // 2 + 1)
    offer(running, large)
    offer(running, large)
    assert count("dropped") == dropped + 1
    slow.go.set()


def test_what_waits_too_long_is_dropped(
    queries: SampledQueries, busy: tuple[Failing, Sampler], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, running = busy
    dropped = count("dropped")
    offer(running)
    monkeypatch.setattr(sampler, "_LATE_SECONDS", -1.0)
    slow.go.set()
    until(lambda: count("dropped") == dropped + 1)
    assert len(queries.kept()) == 1


def test_the_end_waits_for_no_store(queries: SampledQueries, busy: tuple[Failing, Sampler]) -> None:
    slow, running = busy
    dropped = count("dropped")
    for _ in range(2):
        offer(running)
    running.stop(0.01)
    assert count("dropped") == dropped + 2
    offer(running)  # nobody takes it any more
    assert count("dropped") == dropped + 3
    slow.go.set()
    assert len(kept_in(queries, 1)) == 1


# -- in the service --------------------------------------------------------------------------------


def test_searches_by_picture_are_sampled_and_others_are_not(
    make_client: Callable[..., Client], tmp_path: Path
) -> None:
    client = make_client(pictures=str(tmp_path), sampling=ALL)
    first, second, third = pictures(3, seed=8)
    answer = client.search(first, k="3").raise_for_status().json()
    below = client.search(second, within="warm", k="1").raise_for_status().json()
    for fields in ({"id": "item 4"}, {"code": answer["code"]}):
        client.ask(**fields).raise_for_status()
    client("POST", "/v1/encode", files={"image": ("p", third)}).raise_for_status()
    client.search(b"no picture")
    client.search(third, within="nowhere")
    files = [("image", ("private.png", one)) for one in (third, b"none")]
    batch = client("POST", "/v1/search", files=files).raise_for_status().json()["answers"]
    queries = SampledQueries(Place.open(tmp_path, "pictures"), "default")
    until(lambda: len(queries.kept()) == 3)
    found = {query.picture: query.facts for query in queries.queries()}
    assert found.keys() == {first, second, third}
    for picture, told in ((first, answer), (second, below), (third, batch[0])):
        facts = found[picture]
        assert (facts.generation, facts.bits, facts.code) == (told["generation"], told["bits"], told["code"])
        nearest = client.ask(code=told["code"], k=1).json()["results"][0]["distance"]
        assert (facts.nearest, facts.identical) == (nearest, False)
    for file in tmp_path.rglob("*"):
        assert b"private" not in str(file).encode() + (file.read_bytes() if file.is_file() else b"")
