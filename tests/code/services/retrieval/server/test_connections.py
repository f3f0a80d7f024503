"""Who waits, who makes way and whose time is over, without a connection."""

import resource

import pytest

from services.retrieval.server.connections import Connections, Stage, bound


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Client:
    def __init__(self, name: str) -> None:
        self.name = name
        self.stage: Stage | None = None
        self.in_transit = False
        self.told: list[str] = []

    def late(self) -> None:
        self.told.append("late")

    def abort(self) -> None:
        self.told.append("aborted")


def crowd(clock: Clock, *stages: tuple[Stage, float], most: int = 100) -> tuple[Connections, list[Client]]:
    """Clients in stages, each for so many seconds."""
    there = Connections(most, {Stage.HEADERS: 10.0, Stage.IDLE: 30.0}, clock)
    clients = []
    for stage, seconds in sorted(stages, key=lambda each: -each[1]):
        clock.now = 100.0 - seconds
        clients.append(Client(f"{stage.name} {seconds:g}"))
        there.enter(clients[-1], stage)
    clock.now = 100.0
    return there, clients


def test_who_has_sent_something_or_is_still_to_get_something_does_not_make_way() -> None:
    there, clients = crowd(Clock(), (Stage.HEADERS, 5), (Stage.HEADERS, 3), (Stage.IDLE, 20))
    for client in clients:
        client.in_transit = client.name != "HEADERS 3"
    assert ended(there, clients) == ["HEADERS 3"]
    assert len(there) == 2


def ended(there: Connections, clients: list[Client]) -> list[str]:
    """In which order they make way."""
    order: list[str] = []
    while there.end_one():
        order += [client.name for client in clients if client.told and client.name not in order]
    return order


def test_those_who_sent_half_a_head_make_way_first_then_idle_ones_then_slow_bodies() -> None:
    there, clients = crowd(
        Clock(), (Stage.HEADERS, 5), (Stage.HEADERS, 3), (Stage.HEADERS, 0.5), (Stage.IDLE, 20), (Stage.IDLE, 0.1), (Stage.BODY, 30),
        (Stage.BODY, 1), (Stage.STALLED, 6), (Stage.STALLED, 1), (Stage.ENDING, 2), (Stage.ENDING, 0.1), (Stage.ANSWERING, 1000),
    )  # fmt: skip
    assert ended(there, clients) == [
        "ENDING 2", "HEADERS 5", "HEADERS 3", "IDLE 20", "IDLE 0.1", "HEADERS 0.5", "BODY 30", "STALLED 6",
    ]  # fmt: skip
    assert len(there) == 4


def test_nobody_is_ended_while_there_is_room() -> None:
    there, clients = crowd(Clock(), (Stage.HEADERS, 5), (Stage.IDLE, 1), most=3)
    assert there.make_room()
    there.enter(Client("third"), Stage.ANSWERING)
    assert there.make_room()
    assert [client.told for client in clients] == [["aborted"], []]


def test_there_is_no_room_when_all_are_being_answered() -> None:
    there, _ = crowd(Clock(), (Stage.ANSWERING, 100), (Stage.ANSWERING, 1), most=2)
    assert not there.make_room()


def test_time_runs_on_in_a_stage_and_anew_in_another() -> None:
    clock = Clock()
    there, (client,) = crowd(clock, (Stage.HEADERS, 9))
    there.enter(client, Stage.HEADERS)
    there.end_late()
    assert client.told == []
    clock.now += 1
    there.end_late()
    assert client.told == ["late"]
    there.enter(client, Stage.IDLE)
    clock.now += 29
    there.end_late()
    there.again(client)
    clock.now += 29
    there.end_late()
    assert client.told == ["late"]
    clock.now += 1
    there.end_late()
    assert client.told == ["late", "late"]


def test_stages_without_a_limit_have_none() -> None:
    there, (client,) = crowd(Clock(), (Stage.BODY, 90))
    there.end_late()
    assert client.told == []


def test_who_has_left_is_nowhere() -> None:
    there, (client,) = crowd(Clock(), (Stage.IDLE, 1))
    there.leave(client)
    there.leave(client)
    there.again(client)
    assert (len(there), list(there), client.stage) == (0, [], None)


@pytest.mark.parametrize(
    ("limit", "wanted", "most"),
    [(20_000, 2000, 2000), (1024, 2000, 768), (1024, 100, 100), (300, 2000, 150), (2, 2000, 1)],
)
def test_connections_leave_descriptors_for_the_rest(
    monkeypatch: pytest.MonkeyPatch, limit: int, wanted: int, most: int
) -> None:
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, limit))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits))
    assert bound(wanted) == most
    assert raised == [(limit, limit)]


def test_a_limit_that_cannot_be_raised_is_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_kind: int, _limits: tuple[int, int]) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert bound(2000) == 768
