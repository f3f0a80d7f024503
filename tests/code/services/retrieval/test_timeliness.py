"""Which searches were in time."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from services import metrics
from services.codestore import Snapshot, StoreUnavailableError
from services.retrieval import timeliness
from services.retrieval.settings import Limits
from services.retrieval.timeliness import Counted
from services.web.refused import RefusedError
from tests.support.application import Client

Counts = Callable[[], tuple[float, float]]


class Clock:
    """Time that passes when the test says so."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(timeliness, "time", made)
    return made


@pytest.fixture
def counted() -> Counts:
    """Searches since the test began, in time and late."""

    def now() -> list[float]:
        return [metrics.SEARCHES_TIMED.labels(outcome)._value.get() for outcome in ("in time", "late")]

    before = now()

    def since() -> tuple[float, float]:
        in_time, late = (own - old for own, old in zip(now(), before, strict=True))
        return in_time, late

    return since


@pytest.mark.parametrize(("seconds", "wanted"), [(0.5, (1, 0)), (0.51, (0, 1))])
def test_an_answer_is_in_time_from_the_end_of_its_body(
    clock: Clock, counted: Counts, seconds: float, wanted: tuple[int, int]
) -> None:
    with Counted(0.5) as search:
        clock.now += 10.0  # its client is slow
        search.arrived()
        clock.now += seconds
    assert counted() == wanted


@pytest.mark.parametrize(
    ("error", "late"),
    [
        (RefusedError(503, "time", "it took too long"), 1),
        (StoreUnavailableError("nobody there"), 1),
        (RuntimeError("a bug"), 1),
        (RefusedError(429, "busy", "too many"), 0),
        (RefusedError(400, "image", "no picture"), 0),
        (ClientDisconnect(), 0),
    ],
)
def test_what_we_fail_to_answer_is_late_and_what_clients_do_is_nothing(
    counted: Counts, error: Exception, late: int
) -> None:
    with pytest.raises(type(error)), Counted(0.5):
        raise error
    assert counted() == (0, late)


def test_searches_are_counted_and_nothing_else_is(
    make_client: Callable[..., Client], snapshot: Snapshot, counted: Counts
) -> None:
    code = snapshot.codes[0].tobytes().hex()
    client = make_client(objective_seconds=3600.0)
    assert metrics.SEARCHES_OBJECTIVE._value.get() == 3600.0
    assert metrics.SEARCHES_MOST._value.get() == Limits().requests
    client("GET", "/v1/stats")
    assert client.ask(code="none").status_code == 400
    assert counted() == (0, 0)
    assert client.ask(code=code).status_code == 200  # at once
    many: list[dict[str, Any]] = [{"code": code}, {"code": code}]
    assert client.ask(queries=many).status_code == 200
    assert counted() == (2, 0)
    hasty = make_client(objective_seconds=1e-9)
    assert hasty.ask(code=code).status_code == 200
    assert counted() == (2, 1)


def test_the_time_in_which_a_body_comes_is_its_clients(
    make_client: Callable[..., Client], snapshot: Snapshot, clock: Clock, counted: Counts
) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"code": '
        clock.now += 10.0
        yield b'"%s"}' % snapshot.codes[0].tobytes().hex().encode()

    headers = {"Content-Type": "application/json"}
    client = make_client(objective_seconds=0.5)
    assert client("POST", "/v1/search", content=slowly(), headers=headers).status_code == 200
    assert counted() == (1, 0)
