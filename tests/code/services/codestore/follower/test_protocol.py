"""The protocol through a bad network, against a server of plain lists; and that its mutants are caught."""

from collections import Counter
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codestore.follower.protocol import (
    Changes,
    ChangesRead,
    Failed,
    FollowerProtocol,
    Pace,
    Page,
    PageRead,
    Request,
    Step,
)
from taxohash.errors import TaxohashError
from tests.support.follower_model import BrokenError, ModelColumns, Network, module_with

STEPS = 150
REAL = module_with()
PACE = Pace()


def run(module: ModuleType, seeds: int) -> Counter[str]:
    """What happened in runs with the first seeds."""
    return sum((Network(seed, module).run(STEPS) for seed in range(seeds)), Counter())


@settings(max_examples=500)
@given(st.integers(0, 2**32 - 1))
def test_disorder_changes_nothing(seed: int) -> None:
    Network(seed, REAL).run(STEPS)


def test_the_network_is_as_bad_as_it_says() -> None:
    seen = run(REAL, seeds=100)
    for what in (
        "PageRead",
        "ChangesRead",
        "Trimmed",
        "Gone",
        "Stale",
        "Failed",
        "ResetSegment",
        "ApplyColumns",
    ):
        assert seen[what] > 0, what


MUTANTS = {
    "changes since the last page instead of the first": [
        ("segment.since = segment.seen[0].position\n", "segment.since = segment.seen[-1].position\n"),
    ],
    "no changes after the pages": [
        (
            "            segment.since = segment.seen[0].position\n",
            "            segment.since = segment.seen[-1].position\n            self._skip = self._take(segment, now)\n",
        ),
        ("        return Step(step.requests, effects, waited)", "        return Step(step.requests, *self._skipped(effects, waited))"),
        (
            "    # Answers\n",
            "    def _skipped(self, effects, waited):\n"
            "        skip, self._skip = getattr(self, '_skip', None), None\n"
            "        return skip or (effects, waited)\n",
        ),
    ],
    "answers of old requests are taken": [
        ("self._asked = 0\n", "self._asked, self._all = 0, {}\n"),
        ("self._in_flight[request.number] = _Asked(", "self._in_flight[request.number] = self._all[request.number] = _Asked("),
        ("asked = self._in_flight.get(number)", "asked = self._all.get(number)"),
        ("del self._in_flight[number]", "self._in_flight.pop(number, None)"),
    ],
    "a segment is not reset before it is loaded anew": [
        ("            segment.held.append(ResetSegment(segment.number, columns.total))\n", ""),
    ],
    "trimmed is not heard": [
        ("            case Changes(), Trimmed():\n                self._begin(segment, now)", "            case Changes(), Trimmed():\n                self._schedule(segment, now + 1)"),
    ],
    "partial answers are applied at once": [
        ("if answer.until < columns.position:", "if False:"),
    ],
    "a page that failed is not asked again": [
        ("segment.missing.appendleft(request.first_block)", "segment.missing.appendleft(0)"),
    ],
    "only the last read is confirmed": [
        ("segment.number, segment.since, segment.seen)", "segment.number, segment.since, segment.seen[-1:])"),
    ],
    "only the first read is confirmed": [
        ("segment.number, segment.since, segment.seen)", "segment.number, segment.since, segment.seen[:1])"),
    ],
    "changes are asked from where they were read, not from where they end": [
        ("segment.since, segment.seen = answer.until, ()", "segment.since, segment.seen = columns.position, ()"),
    ],
    "the number of requests is not bounded": [
        ("while not self._ended and len(self._in_flight) < self._pace.requests:", "while not self._ended:"),
    ],
    "the end is not heard": [
        ("        self._ended = state\n", ""),
    ],
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught(mutant: str) -> None:
    module = module_with(*MUTANTS[mutant])
    with pytest.raises(BrokenError):
        run(module, seeds=400)


def columns(position: int, total: int = 0) -> Any:
    return ModelColumns(0, position, position, total, {})


def page_read(position: int = 0, total: int = 0) -> PageRead:
    return PageRead(columns(position, total))


def changes_read(position: int, until: int | None = None, age: float = 0.0) -> ChangesRead:
    return ChangesRead(columns(position), position if until is None else until, age)


def only(step: Step) -> Request:
    (request,) = step.requests
    return request


def followed(segments: int = 1, pace: Pace = PACE) -> FollowerProtocol:
    """A follower of empty segments that has loaded at time 0."""
    protocol = FollowerProtocol(segments, pace)
    requests = list(protocol.start(0.0).requests)
    while requests:
        request = requests.pop()
        answer = page_read() if isinstance(request, Page) else changes_read(0)
        requests += protocol.answered(request.number, answer, 0.0).requests
    assert protocol.state == "following"
    return protocol


def test_the_first_page_comes_first_and_the_others_together() -> None:
    protocol = FollowerProtocol(1, Pace(blocks=2, requests=4))
    first = only(protocol.start(0.0))
    others = protocol.answered(first.number, page_read(total=74 * 5 + 1), 0.0).requests
    assert [(request.first_block, request.blocks) for request in others if isinstance(request, Page)] == [
        (2, 2),
        (4, 2),
    ]


def test_a_segment_is_loaded_before_others_are_begun() -> None:
    protocol = FollowerProtocol(3, Pace(requests=1, blocks=1))
    asked, requests = [], list(protocol.start(0.0).requests)
    while requests:
        request = requests.pop()
        asked.append((request.segment, type(request)))
        answer = page_read(total=100) if isinstance(request, Page) else changes_read(0)
        requests += protocol.answered(request.number, answer, 0.0).requests
    assert asked == [(segment, kind) for segment in range(3) for kind in (Page, Page, Changes)]


def test_without_hints_a_segment_is_looked_at_every_second() -> None:
    protocol = followed()
    assert protocol.wake_at() == 1.0
    assert not protocol.tick(0.99).requests
    request = only(protocol.tick(1.0))
    protocol.answered(request.number, changes_read(0), 1.25)
    assert protocol.wake_at() == 2.25


def test_a_hint_is_followed_at_once_and_one_that_comes_meanwhile_after_the_answer() -> None:
    protocol = followed()
    first = only(protocol.hint(0, 1, 0.5))
    assert not protocol.hint(0, 2, 0.6).requests
    second = only(protocol.answered(first.number, changes_read(1), 0.7))
    assert isinstance(second, Changes)
    assert second.since == 1


def test_a_hint_that_is_read_already_costs_no_look() -> None:
    protocol = followed()
    first = only(protocol.hint(0, 1, 0.5))
    assert not protocol.hint(0, 2, 0.6).requests
    assert not protocol.answered(first.number, changes_read(2), 0.7).requests
    assert not protocol.hint(0, 1, 0.8).requests


def test_lag_counts_writes_that_are_known_and_how_long_they_wait() -> None:
    protocol = followed()
    request = only(protocol.hint(0, 3, 5.0))
    assert (protocol.lag(5.5).entries, protocol.lag(5.5).seconds) == (3, 0.5)
    request = only(protocol.answered(request.number, changes_read(4, until=1, age=2.0), 6.0))
    assert (protocol.lag(7.0).entries, protocol.lag(7.0).seconds) == (4, 3.0)
    step = protocol.answered(request.number, changes_read(4, age=2.5), 7.0)
    assert step.waited == 3.0
    assert len(step.effects) == 2
    assert (protocol.lag(8.0).entries, protocol.lag(8.0).seconds, protocol.lag(8.0).age) == (0, 0.0, 2.0)


def test_pauses_after_failures_grow_and_hints_do_not_shorten_them() -> None:
    protocol = followed(pace=Pace(first_retry=1.0, last_retry=8.0))
    now, pauses = 1.0, []
    request = only(protocol.tick(now))
    for _ in range(8):
        assert not protocol.answered(request.number, Failed("cut"), now).requests
        assert protocol.state == "cut"
        assert not protocol.hint(0, 9, now).requests
        pauses.append(protocol.wake_at() - now)
        now = protocol.wake_at()
        request = only(protocol.tick(now))
    for pause, most in zip(pauses, (1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0), strict=True):
        assert most / 2 <= pause <= most
    protocol.answered(request.number, changes_read(0), now)
    assert protocol.state == "following"


def test_segments_that_do_not_answer_take_one_request_of_all() -> None:
    protocol = followed(segments=8, pace=Pace(requests=4))
    dead = [request for request in protocol.tick(1.0).requests if request.segment < 4]
    for request in dead:
        protocol.answered(request.number, Failed("cut"), 1.0)
    asked = Counter(request.segment < 4 for request in protocol.tick(100.0).requests)
    assert asked[True] <= 1


@pytest.mark.parametrize(("position", "until"), [(3, 1), (3, 4), (1, 1), (3, 2)])
def test_an_answer_that_leads_nowhere_is_a_failure(position: int, until: int) -> None:
    protocol = followed()
    request = only(protocol.hint(0, 2, 0.5))
    request = only(protocol.answered(request.number, changes_read(5, until=2), 0.5))
    protocol.answered(request.number, changes_read(position, until), 0.5)
    assert protocol.state == "cut"
    assert "does not fit" in protocol.error


def test_a_token_of_another_collection_is_refused() -> None:
    with pytest.raises(TaxohashError, match="names segment 7 of 1"):
        followed().covers({7: 1})
