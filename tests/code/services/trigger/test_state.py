"""The trigger's memory: changes are made once, whoever is in between."""

import threading
from typing import Any

import pytest

from services.codestore.memory import MemoryConnection
from services.trigger import decide
from services.trigger.records import Kind, Reason, State
from services.trigger.state import Memory
from taxohash.errors import TaxohashError
from tests.support.toy_memory import toy_memory


def asked(key: str) -> Any:
    reason = Reason(kind=Kind.ALERT, key=key, text=key, time=0.0)
    return lambda state: decide.asked(state, "retrain", reason)


def keys(state: State) -> list[str]:
    return [reason.key for pending in state.pending for reason in pending.reasons]


def test_it_is_empty_at_first_and_then_what_was_written() -> None:
    server, memory = toy_memory()
    assert memory.read() == State()
    changed = memory.change(asked("a"))
    assert memory.read() == changed == Memory(server, "c").read()  # type: ignore[arg-type]
    assert Memory(server, "other").read() == State()  # type: ignore[arg-type]


def test_what_changes_nothing_is_not_written() -> None:
    server, memory = toy_memory()
    memory.change(asked("a"))
    memory.change(asked("a"))
    assert server.writes == 1


def test_a_swap_whose_answer_was_lost_is_made_once() -> None:
    server, memory = toy_memory()
    server.loses = 3
    for key in "abcde":
        memory.change(asked(key))
    assert keys(memory.read()) == list("abcde")
    assert server.writes == 5


def test_many_who_write_at_once_lose_nothing() -> None:
    server, _ = toy_memory()
    memories = [Memory(server, "c") for _ in range(4)]  # type: ignore[arg-type]  # as of four processes

    def write(number: int) -> None:
        for count in range(20):
            memories[number].change(asked(f"{number} {count}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys(memories[0].read())) == 80


def test_a_memory_that_ends_with_the_process_is_none() -> None:
    with pytest.raises(TaxohashError, match="memory://"):
        Memory(MemoryConnection(), "c")


def test_what_another_version_wrote_is_refused() -> None:
    server, memory = toy_memory()
    server.hashes["taxohash:trigger:{c}"] = {"version": b"1", "state": b'{"unknown": 1}'}
    with pytest.raises(TaxohashError, match="unknown"):
        memory.read()


def test_somebody_who_is_always_first_is_told() -> None:
    server, memory = toy_memory()
    other = Memory(server, "c")  # type: ignore[arg-type]
    count = iter(range(1000))

    def step(state: State) -> State:
        other.change(asked(f"other {next(count)}"))
        return asked("mine")(state)  # type: ignore[no-any-return]

    with pytest.raises(TaxohashError, match="one trigger"):
        memory.change(step)
