"""Calls as steps: what is sent again, when, and what is told at last. No time passes here, and nothing is sent."""

from collections.abc import Iterable
from typing import Any

import pytest

from taxohash.client import (
    BusyError,
    MalformedAnswerError,
    NoAnswerError,
    RequestRefusedError,
    Retries,
    calls,
)
from taxohash.client.exchange import Exchange, Failed, Outcome, Received, Send, Steps, Wait
from taxohash.client.queries import Code
from taxohash.client.uploads import Upload
from taxohash.errors import TaxohashError
from tests.support.false_service import ANSWER, URL, answer, problem, put_answer

SEARCH = calls.search(Code("ff"), {})
PUT = calls.put(Upload("a", b"picture").load(), "name")
CUT = Failed("connection cut")


class Clock:
    """Moves as the steps say."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def exchange(clock: Clock, deadline: float = 60.0, **options: Any) -> Exchange:
    retries = Retries(tries=4, first=1.0, longest=8.0, draw=lambda: 0.5)
    return Exchange(URL, "key", deadline, retries, options.get("read_your_writes", True), clock)


def received(response: Any) -> Received:
    return Received(response.status_code, response.headers, response.content)


OK = received(answer(ANSWER))
BUSY = received(problem(429))
BUSY_3 = received(problem(503, "unavailable", retry_after="3"))


def play(
    steps: Steps[Any], outcomes: Iterable[Outcome], clock: Clock, each: float = 0.0
) -> tuple[list[Any], Any]:
    """What was sent (the headers) and waited for (seconds); and what came of it. Each try takes `each` seconds."""
    left, outcome = iter(outcomes), None
    done: list[Any] = []
    try:
        while True:
            step = steps.send(outcome)
            if isinstance(step, Send):
                done.append(dict(step.headers))
                outcome, clock.now = next(left), clock.now + each
            else:
                assert isinstance(step, Wait)
                done.append(step.seconds)
                outcome, clock.now = None, clock.now + step.seconds
    except StopIteration as end:
        return done, end.value
    except TaxohashError as error:
        return done, error


def waits(done: list[Any]) -> list[float]:
    return [step for step in done if isinstance(step, float)]


@pytest.mark.parametrize("call", [SEARCH, PUT], ids=["search", "put"])
def test_a_call_that_may_repeat_is_sent_again_under_its_name(call: calls.Call[Any]) -> None:
    clock = Clock()
    last = OK if call is SEARCH else received(answer(put_answer()))
    done, told = play(exchange(clock).read(call), [BUSY, CUT, BUSY_3, last], clock)
    assert not isinstance(told, Exception)
    assert waits(done) == [0.5, 1.0, 3 + 2.0]
    sent = [step for step in done if isinstance(step, dict)]
    assert sent == [sent[0]] * 4
    assert sent[0].get("Idempotency-Key") == (None if call is SEARCH else "name")
    assert sent[0]["Authorization"] == "Bearer key"


def test_a_write_without_a_name_is_sent_once() -> None:
    clock = Clock()
    nameless = calls.Call("the item", "PUT", "/v1/item", PUT.read, is_safe=False)
    for outcome in (BUSY, CUT, BUSY_3):
        done, told = play(exchange(clock).read(nameless), [outcome], clock)
        assert isinstance(told, TaxohashError)
        assert waits(done) == []


def test_the_last_error_is_told_after_the_last_try() -> None:
    clock = Clock()
    done, told = play(exchange(clock).read(SEARCH), [CUT, BUSY, CUT, BUSY_3], clock)
    assert len(waits(done)) == 3
    assert isinstance(told, BusyError)
    assert (told.status, told.reason, told.request_id) == (503, "unavailable", "r1")
    assert str(told) == f"{URL} refused the search (503): it cannot be"


def test_what_is_refused_for_good_is_not_sent_again() -> None:
    clock = Clock()
    done, told = play(exchange(clock).read(SEARCH), [received(problem(404, "item"))], clock)
    assert (len(done), type(told), told.status, told.reason) == (1, RequestRefusedError, 404, "item")


def test_the_deadline_holds_over_all_tries_and_pauses() -> None:
    clock = Clock()
    done, told = play(exchange(clock, 9.0).read(SEARCH), [CUT, CUT, CUT, CUT], clock, each=3.0)
    assert isinstance(told, NoAnswerError)
    assert waits(done) == [0.5, 1.0]  # the third pause would end after it
    assert clock.now <= 9.0 + 3.0
    late = calls.search(Code("ff"), {})
    steps = exchange(clock, 4.0).read(late)
    (first,) = [next(steps)]
    assert isinstance(first, Send)
    assert first.seconds == 4.0


def test_a_pause_that_the_service_asks_for_beyond_the_deadline_is_not_waited_for() -> None:
    clock = Clock()
    asked = received(problem(503, retry_after="3000"))
    done, told = play(exchange(clock, 5.0).read(SEARCH), [asked], clock)
    assert (waits(done), type(told)) == ([], BusyError)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"results": 3}', b"\xff", b"[" * 100_000, b'{"generation": "g"}']
)
@pytest.mark.parametrize("status", [200, 404, 500, 302])
def test_what_is_no_answer_is_told_in_one_line(status: int, body: bytes) -> None:
    clock = Clock()
    _, told = play(exchange(clock).read(SEARCH), [Received(status, {}, body)], clock)
    assert isinstance(told, MalformedAnswerError)
    assert str(told) == f"{URL} answered {status}, but not as a taxohash service does: correct its address"


def test_a_proxy_that_is_busy_in_words_of_its_own_is_asked_again() -> None:
    clock = Clock()
    done, told = play(exchange(clock).read(SEARCH), [Received(503, {}, b"<html>"), OK], clock)
    assert len(waits(done)) == 1
    assert told.bits == 8


def test_reads_carry_the_tokens_of_writes() -> None:
    clock = Clock()
    own = exchange(clock)
    assert own.seeing({"k": 3}) == {"k": 3, "token": None}
    play(own.write(PUT), [received(answer(put_answer(token="4f1d09aa.1-5")))], clock)
    assert own.seeing({})["token"] == "4f1d09aa.1-5"
    assert own.seeing({"token": "4f1d09aa.2-2"})["token"] == "4f1d09aa.1-5.2-2"
    other = exchange(clock, read_your_writes=False)
    play(other.write(PUT), [received(answer(put_answer(token="4f1d09aa.1-5")))], clock)
    assert other.seeing({})["token"] is None
    assert other.tokens.newest == "4f1d09aa.1-5"


def test_items_of_a_batch_for_which_there_was_no_time_are_sent_again_alone() -> None:
    clock = Clock()
    late = {"type": "urn:taxohash:unavailable", "title": "t", "status": 503, "detail": "late"}
    bad = late | {"type": "urn:taxohash:image", "status": 422}
    items = [Upload(name, b"p").load() for name in "abc"]

    def batch(*results: dict[str, Any]) -> Received:
        return received(answer({"generation": "g", "token": "4f1d09aa.0-1", "results": list(results)}))

    def put_result(name: str) -> dict[str, Any]:
        return {"id": name, "status": 201, "put": put_answer(name)}

    outcomes = [
        batch(put_result("a"), {"id": "b", "status": 422, "problem": bad}, {"id": "c", "status": 503, "problem": late}),
        batch(put_result("c")),
    ]  # fmt: skip
    own = exchange(clock)
    done, told = play(own.write_several(items), outcomes, clock)
    assert [result.status for result in told] == [201, 422, 201]
    names = {step["Idempotency-Key"] for step in done if isinstance(step, dict)}
    assert (len(names), waits(done)) == (1, [0.5])
    assert own.tokens.newest == "4f1d09aa.0-1"


@pytest.mark.parametrize("deadline", [0, -1, float("inf"), float("nan")])
def test_a_deadline_is_a_number_of_seconds(deadline: float) -> None:
    with pytest.raises(TaxohashError, match="deadline"):
        exchange(Clock(), deadline)


def test_a_password_in_the_address_is_not_told() -> None:
    own = Exchange("http://ada:secret@service.test/below/", None, 1.0, Retries(), True, Clock())
    assert own.url == "http://service.test/below"
    assert "secret" in own.address
