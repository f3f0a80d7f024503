"""The keeper: decisions become runs, whatever dies in between."""

from pathlib import Path

import pytest

from services.codestore import StoreUnavailableError
from services.metrics import REGISTRIES
from services.runs import Verdict
from services.trigger import decide
from services.trigger.decide import Policy
from services.trigger.keeper import LEASE_SECONDS
from services.trigger.records import Kind, Reason, Schedule, State
from tests.support.toy_trigger import ToyTrigger
from tests.support.waiting import until


@pytest.fixture
def toy(tmp_path: Path) -> ToyTrigger:
    return ToyTrigger(tmp_path)


def alert(key: str = "alert a") -> Reason:
    return Reason(kind=Kind.ALERT, key=key, text=key, time=0.0)


def ask(toy: ToyTrigger, key: str = "alert a") -> State:
    return toy.keeper.change(lambda state: decide.asked(state, "retrain", alert(key)))


def test_a_reason_becomes_a_run_and_its_outcome_is_written_down(toy: ToyTrigger) -> None:
    ask(toy)
    state = toy.settle()
    (run,) = state.history
    assert run.outcome
    assert (run.outcome.verdict, run.outcome.run) == (Verdict.PUBLISHED, run.name)
    assert [line["run"] for line in toy.ledger("started")] == [run.name]
    assert run.name.startswith("retrain-")
    assert not state.pending


def test_a_trigger_that_died_before_the_process_began_is_made_up_for(toy: ToyTrigger) -> None:
    ask(toy)
    pending = toy.keeper.state.pending[0]
    toy.keeper.change(lambda state: decide.begun(state, pending, "retrain-named", toy.now))  # and killed here
    toy.settle()
    assert [line["run"] for line in toy.ledger("started")] == ["retrain-named"]


def test_a_trigger_that_died_while_the_run_went_on_is_followed_by_another(toy: ToyTrigger) -> None:
    toy.script(seconds=600)
    ask(toy)
    toy.keeper.look()
    until(lambda: toy.ledger("started"))
    toy.keeper = toy.keeper_of()  # the first is gone without a word
    assert toy.keeper.look().running
    toy.finish()
    assert [run.outcome and run.outcome.verdict for run in toy.settle().history] == [Verdict.PUBLISHED]
    assert len(toy.ledger("started")) == len(toy.ledger("ended")) == 1


def test_a_run_that_ended_while_there_was_no_trigger_is_written_down(toy: ToyTrigger) -> None:
    ask(toy)
    toy.keeper.look()
    until(lambda: toy.ledger("ended"))
    toy.keeper = toy.keeper_of()
    assert len(toy.settle().history) == 1
    assert len(toy.ledger("started")) == 1


def test_an_orderly_end_leaves_the_run_to_the_next_trigger(toy: ToyTrigger) -> None:
    toy.script(seconds=600)
    ask(toy)
    toy.keeper.look()
    until(lambda: toy.ledger("started"))
    toy.keeper.stop()
    state = toy.keeper.state
    assert state.running
    assert state.keeper is None
    toy.script(seconds=0)
    toy.keeper = toy.keeper_of("there")
    toy.settle()
    assert [line["run"] for line in toy.ledger("started")] == [state.running.name] * 2
    assert len(toy.ledger("ended")) == 1


def test_elsewhere_another_waits_until_the_first_has_been_silent(toy: ToyTrigger) -> None:
    toy.keeper.look()
    other = toy.keeper_of("there")
    other.look()
    ask(toy)
    other.look()
    assert other._begun(toy.now).running is None  # also where it thought so before the first came back
    assert not toy.ledger("started")
    toy.now += LEASE_SECONDS
    until(lambda: other.look().history)
    assert len(toy.ledger("started")) == 1


def test_one_that_breaks_is_tried_again_later(tmp_path: Path) -> None:
    toy = ToyTrigger(tmp_path, Policy(watched=False, retry=30.0, attempts=2))
    toy.script(dies=True)
    ask(toy)
    state = toy.settle()
    assert state.history[0].outcome
    assert state.history[0].outcome.reason.endswith("error: it broke")
    toy.keeper.look()
    assert len(toy.ledger("started")) == 1
    toy.now += 30.0
    until(lambda: len(toy.keeper.look().history) == 2)
    assert not toy.keeper.state.pending
    assert len({line["run"] for line in toy.ledger("started")}) == 2


def test_one_that_was_refused_before_it_began_is_not_tried_again(tmp_path: Path) -> None:
    toy = ToyTrigger(tmp_path, Policy(watched=False, retry=0.0, cool_down=0.0))
    toy.script(refuses=True)
    ask(toy)
    state = toy.settle()
    (run,) = state.history
    assert run.outcome
    assert run.outcome.verdict is Verdict.FAILED
    assert run.outcome.reason.startswith("taxohash pipeline run: unrecognized arguments: --nope")
    assert toy.told == [f"retrain failed: {run.outcome.reason}"]
    assert not state.pending
    ask(toy)  # the next reason may find that somebody mended it
    toy.script()
    assert toy.settle().history[0].attempt == 1


def test_a_run_is_cancelled(toy: ToyTrigger) -> None:
    toy.script(seconds=600)
    ask(toy)
    running = toy.keeper.look().running
    assert running
    until(lambda: toy.ledger("started"))
    toy.keeper.change(lambda state: decide.cancelled(state, running.name, "me"))
    state = toy.settle()
    assert not state.pending
    assert state.history[0].cancelled == "me"


def reasons(kind: Kind) -> float:
    found = REGISTRIES["trigger"].get_sample_value("taxohash_trigger_reasons_total", {"kind": kind.value})
    return found or 0.0


def test_new_data_are_indexed_and_then_trained_on(tmp_path: Path) -> None:
    toy, before = ToyTrigger(tmp_path, Policy()), reasons(Kind.DATA)
    toy.keeper.data_arrived("1" * 32 + ".dir", "commit")
    toy.keeper.data_arrived("1" * 32 + ".dir", "another commit")
    until(lambda: len(toy.keeper.look().history) == 2)
    assert [line["pipeline"] for line in toy.ledger("started")] == ["reindex", "retrain"]
    toy.served = None
    toy.keeper.data_arrived("2" * 32 + ".dir", "commit")
    assert [own.pipeline for own in toy.keeper.state.pending] == ["retrain"]
    assert reasons(Kind.DATA) == before + 2


def test_the_timer_asks(toy: ToyTrigger) -> None:
    before = reasons(Kind.SCHEDULE)
    toy.keeper.change(lambda state: decide.scheduled(state, Schedule(text="every 60", due=toy.now + 60)))
    toy.keeper.look()
    assert not toy.ledger("started")
    toy.now += 600.0
    assert len(toy.settle().history) == 1
    schedule = toy.keeper.state.schedule
    assert schedule
    assert schedule.due == toy.now + 60
    assert reasons(Kind.SCHEDULE) == before + 1


def test_a_store_that_is_away_is_told_once_and_waited_for(
    toy: ToyTrigger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[int] = []
    look = toy.keeper.look

    def away() -> State:
        looks.append(1)
        if len(looks) < 5:
            raise StoreUnavailableError("code store does not answer")
        if len(looks) == 5:
            raise RuntimeError("a bug")
        return look()

    monkeypatch.setattr("services.trigger.keeper._LOOK_SECONDS", 0.001)
    monkeypatch.setattr(toy.keeper, "look", away)
    ask(toy)
    toy.keeper.start()
    until(lambda: toy.keeper.state.history)
    toy.keeper.stop()
    assert sum("does not answer" in record.message for record in caplog.records) == 1
    assert sum("a bug" in record.message for record in caplog.records) == 1


def test_people_are_told_once_of_what_waits_for_them(tmp_path: Path) -> None:
    toy = ToyTrigger(tmp_path, Policy())
    for key in ("alert a", "alert b", "alert a"):
        ask(toy, key)
        toy.keeper.look()
    toy.keeper = toy.keeper_of()  # nor again after a restart
    toy.keeper.look()
    assert toy.told == ["retrain is waiting for data: alert a"]


def test_people_are_told_of_runs_that_could_not_say_what_came_of_them(toy: ToyTrigger) -> None:
    ask(toy)
    toy.settle()
    assert not toy.told  # it has told by itself
    toy.script(dies=True)
    ask(toy)
    toy.now += 3600.0
    until(lambda: len(toy.keeper.look().history) == 2)
    assert toy.told == ["retrain failed: it ended without an outcome: error: it broke"]


def test_a_log_is_shown_of_runs_that_there_are(toy: ToyTrigger) -> None:
    toy.script(dies=True)
    ask(toy)
    (run,) = toy.settle().history
    assert toy.keeper.log_of(run.name) == "error: it broke\n"
    assert toy.keeper.log_of("../../etc/passwd") is None
