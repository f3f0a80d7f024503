"""What follows from what, by virtual time: worlds of alerts, data, timers, people, good runs and bad ones."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runs import Outcome, Verdict
from services.trigger import decide
from services.trigger.decide import MOST_REASONS, Policy, Standing
from services.trigger.records import DataVersion, Kind, Pipeline, Reason, Run, Schedule, State

POLICY = Policy(cool_down=100.0, retry=10.0, attempts=3, runs_a_day=5)
CONCLUSIVE = {Verdict.PUBLISHED, Verdict.AWAITING, Verdict.REFUSED}
OF_RETRAINING = [*CONCLUSIVE, Verdict.FAILED, Verdict.INTERRUPTED]


def reason(kind: Kind = Kind.ALERT, key: str = "a", time: float = 0.0) -> Reason:
    return Reason(kind=kind, key=key, text=key, time=time)


def data(md5: str, time: float = 0.0) -> DataVersion:
    return DataVersion(md5=md5, revision=f"commit of {md5}", time=time)


def outcome(run: Run, verdict: Verdict, generation: str = "") -> Outcome:
    return Outcome(
        run=run.name, pipeline=run.pipeline, collection="c", verdict=verdict, reason="", started=run.began, generation=generation
    )  # fmt: skip


def begin(state: State, now: float, policy: Policy = POLICY) -> State:
    pending = decide.next_run(state, policy, now)
    assert pending is not None
    return decide.begun(state, pending, f"run {now:g}", now)


def end(state: State, now: float, verdict: Verdict = Verdict.PUBLISHED, policy: Policy = POLICY) -> State:
    assert state.running is not None
    return decide.ended(state, state.running.name, outcome(state.running, verdict), policy, now)


def standing(state: State, now: float, pipeline: Pipeline = "retrain", policy: Policy = POLICY) -> Standing:
    pending = state.wanted(pipeline)
    assert pending is not None
    return decide.decide(state, pending, policy, now).standing


# -- stories -----------------------------------------------------------------------------------------------------------


def test_new_data_are_indexed_at_once_and_trained_on_afterwards() -> None:
    state = decide.arrived(State(), data("one"), served="")
    state = begin(state, 1.0)
    assert (state.running and state.running.pipeline) == "reindex"
    state = begin(end(state, 2.0), 3.0)
    assert state.running
    assert state.running.pipeline == "retrain"
    assert [own.key for own in state.running.reasons] == ["data one"]


@pytest.mark.parametrize("verdict", [Verdict.AWAITING, Verdict.PUBLISHED])
def test_a_retraining_follows_a_reindexing_that_did_not_refuse(verdict: Verdict) -> None:
    state = end(begin(decide.arrived(State(), data("one"), served=""), 1.0), 2.0, verdict)
    assert state.wanted("retrain")


def test_data_that_reindexing_refused_are_not_trained_on_either() -> None:
    state = decide.asked(State(), "retrain", reason(Kind.SCHEDULE))
    state = decide.arrived(state, data("bad"), served="")
    state = end(begin(state, 1.0), 2.0, Verdict.REFUSED)
    assert standing(state, 1e6) is Standing.DATA
    state = decide.arrived(state, data("good"), served="")
    assert standing(end(begin(state, 1e6), 1e6 + 1), 1e6 + 2) is Standing.READY


def test_but_on_an_alert_they_are_since_a_hasher_that_is_out_of_date_gives_them_bad_codes() -> None:
    state = decide.asked(State(), "retrain", reason(Kind.ALERT))
    state = decide.arrived(state, data("of a new kind"), served="")
    state = end(begin(state, 1.0), 2.0, Verdict.REFUSED)
    state = begin(state, 3.0)
    assert state.running
    assert [own.kind for own in state.running.reasons] == [Kind.ALERT]
    state = decide.asked(end(state, 4.0, Verdict.REFUSED), "retrain", reason(Kind.ALERT, "again"))
    assert standing(state, 1e6) is Standing.DATA


def test_without_a_published_generation_new_data_are_trained_on() -> None:
    state = begin(decide.arrived(State(), data("one"), served=None), 1.0)
    assert state.running
    assert state.running.pipeline == "retrain"


def test_data_that_are_served_when_the_trigger_first_looks_are_no_news() -> None:
    state = decide.arrived(State(), data("one"), served="one")
    assert not state.pending
    state = decide.asked(state, "retrain", reason())
    assert standing(state, 0.0) is Standing.DATA
    state = decide.arrived(state, data("two"), served="one")
    assert [own.pipeline for own in state.pending] == ["retrain", "reindex"]
    state = decide.arrived(state, data("one"), served="one")
    assert (
        standing(state, 0.0, "reindex") is Standing.READY
    )  # they come back to what was indexed anew meanwhile


def test_an_alert_waits_for_newer_data_and_starts_when_they_come() -> None:
    state = end(begin(decide.arrived(State(), data("one"), served=None), 0.0), 1.0)
    state = decide.asked(state, "retrain", reason(key="drift"))
    assert standing(state, 1e6) is Standing.DATA
    assert decide.next_run(state, POLICY, 1e6) is None
    state = decide.arrived(state, data("two"), served="")
    state = begin(end(begin(state, 1e6), 1e6 + 1), 1e6 + 2)
    assert state.running
    assert {own.key for own in state.running.reasons} == {"drift", "data two"}


def test_an_alert_that_is_resolved_wants_nothing_any_more() -> None:
    state = decide.asked(decide.asked(State(), "retrain", reason(key="a")), "retrain", reason(key="b"))
    state = decide.resolved(state, "a")
    assert [own.key for pending in state.pending for own in pending.reasons] == ["b"]
    assert not decide.resolved(state, "b").pending
    assert decide.resolved(state, "never seen") == state


def test_a_storm_starts_one_run() -> None:
    state = replace(State(), data=data("one"))
    for number in range(1000):
        state = decide.asked(state, "retrain", reason(key=f"alert {number}"))
        if state.running is None and decide.next_run(state, POLICY, float(number)):
            state = begin(state, float(number))
    assert state.running
    assert not state.pending
    assert len(state.running.reasons) == MOST_REASONS


def test_while_it_cools_down_an_alert_waits_and_new_data_are_indexed() -> None:
    state = end(begin(decide.arrived(State(), data("one"), served=None), 0.0), 50.0)
    state = decide.arrived(decide.asked(state, "retrain", reason()), data("two"), served="")
    assert standing(state, 51.0) is Standing.COOLING
    assert decide.decide(state, state.pending[0], POLICY, 51.0).until == 150.0
    assert standing(state, 51.0, "reindex") is Standing.READY
    assert standing(state, 150.0) is Standing.READY


def test_a_run_that_broke_is_tried_again_and_not_for_ever() -> None:
    state, now = decide.arrived(State(), data("one"), served=None), 0.0
    for attempt in (1, 2, 3):
        state = begin(state, now)
        assert state.running
        assert state.running.attempt == attempt
        state = end(state, now + 1.0, Verdict.FAILED)
        if attempt < 3:
            assert standing(state, now + 2.0) is Standing.COOLING
        now += 1.0 + POLICY.retry
    assert not state.pending
    assert [run.attempt for run in state.history] == [3, 2, 1]


def test_a_run_that_would_end_the_same_is_not_tried_again() -> None:
    state = begin(decide.asked(State(), "retrain", reason(Kind.PERSON)), 0.0)
    assert state.running
    failed = outcome(state.running, Verdict.FAILED)
    assert decide.ended(state, state.running.name, failed, POLICY, 1.0).pending
    assert not decide.ended(state, state.running.name, failed, POLICY, 1.0, final=True).pending


def test_a_person_waits_for_nothing_but_the_run_under_way_and_one_that_broke() -> None:
    state = end(begin(decide.arrived(State(), data("one"), served=None), 0.0), 1.0)
    person = reason(Kind.PERSON, "p")
    state = decide.asked(state, "retrain", person)
    assert standing(state, 2.0) is Standing.READY
    state = begin(state, 2.0)
    state = decide.asked(state, "reindex", person)
    assert standing(state, 3.0, "reindex") is Standing.BUSY
    state = end(state, 4.0, Verdict.FAILED)
    assert standing(state, 5.0) is Standing.COOLING


def test_what_needs_approval_waits_until_a_person_asks_for_it_too() -> None:
    policy = replace(POLICY, ask_first=("alert",))
    state = decide.asked(replace(State(), data=data("one")), "retrain", reason())
    assert standing(state, 0.0, policy=policy) is Standing.APPROVAL
    assert decide.next_run(state, policy, 1e9) is None
    state = decide.asked(state, "retrain", reason(Kind.PERSON, "p"))
    assert standing(state, 0.0, policy=policy) is Standing.READY


def test_runs_are_limited_in_number() -> None:
    state = State()
    policy = replace(POLICY, cool_down=0.0, watched=False)
    for now in range(5):
        state = end(
            begin(decide.asked(state, "retrain", reason()), float(now), policy), float(now), policy=policy
        )
    state = decide.asked(state, "retrain", reason())
    pending = state.wanted("retrain")
    assert pending
    assert decide.decide(state, pending, policy, 10.0) == (Standing.LIMIT, decide.DAY)
    assert standing(state, decide.DAY, policy=policy) is Standing.READY


def test_what_was_cancelled_is_not_tried_again() -> None:
    state = begin(decide.arrived(State(), data("one"), served=None), 0.0)
    assert state.running
    assert decide.cancelled(state, "another", "x") == state
    state = decide.cancelled(state, state.running.name, "me")
    state = decide.asked(state, "retrain", reason(key="later"))  # is not lost with it
    state = end(state, 1.0, Verdict.INTERRUPTED)
    assert state.history[0].cancelled == "me"
    assert [own.key for pending in state.pending for own in pending.reasons] == ["later"]


def test_what_comes_of_a_run_that_is_over_changes_nothing() -> None:
    state = begin(decide.arrived(State(), data("one"), served=""), 0.0)
    first = state.running
    assert first
    state = begin(end(state, 1.0), 2.0)
    assert decide.ended(state, first.name, outcome(first, Verdict.FAILED), POLICY, 3.0) == state


def test_one_that_is_tried_again_takes_along_what_waited_for_newer_data() -> None:
    state = begin(decide.arrived(State(), data("one"), served=None), 0.0)
    state = decide.arrived(state, data("two"), served=None)
    state = end(decide.asked(state, "retrain", reason(key="drift")), 1.0, Verdict.FAILED)
    (pending,) = state.pending
    assert pending.attempt == 2
    assert [own.key for own in pending.reasons] == ["data one", "data two", "drift"]


def test_newer_data_take_the_place_of_those_that_wait() -> None:
    state = begin(decide.arrived(State(), data("one"), served=""), 0.0)
    state = decide.arrived(decide.arrived(state, data("two"), served=""), data("three"), served="")
    assert [own.key for pending in state.pending for own in pending.reasons] == ["data three"]
    state = end(state, 1.0)
    assert not state.wanted("retrain")  # that follows the newest


def test_data_that_come_back_are_new_again() -> None:
    state = end(begin(decide.arrived(State(), data("one"), served=None), 0.0), 0.0)
    state = end(begin(decide.arrived(state, data("two"), served=None), 1e3), 1e3)
    state = decide.arrived(state, data("one"), served=None)
    assert standing(state, 1e6) is Standing.READY


def test_drift_waits_for_no_data_and_no_approval_and_holds_up_no_retraining() -> None:
    policy = replace(POLICY, ask_first=("schedule",))
    state = decide.asked(State(), "drift", reason(Kind.SCHEDULE))
    state = decide.asked(state, "retrain", reason(Kind.SCHEDULE))
    assert standing(state, 1.0, "drift", policy) is Standing.READY
    assert standing(state, 1.0, "retrain", policy) is Standing.DATA
    for verdict in (Verdict.DRIFTED, Verdict.STEADY, Verdict.TOO_FEW):
        state = end(
            begin(decide.asked(state, "drift", reason(Kind.SCHEDULE)), 1.0, policy), 2.0, verdict, policy
        )
        assert state.wanted("drift") is None
    state = decide.arrived(state, data("new"), served="old")
    assert standing(state, 3.0, "reindex", policy) is Standing.READY


def test_a_timer_asks_once_for_all_the_times_that_were_missed() -> None:
    state = replace(State(), schedule=Schedule(text="every 60", due=60.0))
    assert decide.struck(state, 59.0, 120.0) == state
    state = decide.struck(state, 600.0, 660.0)
    assert state.schedule
    assert state.schedule.due == 660.0
    assert [own.kind for own in state.pending[0].reasons] == [Kind.SCHEDULE]
    assert decide.struck(state, 600.0, 660.0) == state


def test_what_was_approved_is_published_in_the_history() -> None:
    state = begin(decide.arrived(State(), data("one"), served=None), 0.0)
    assert state.running
    state = decide.ended(
        state, state.running.name, outcome(state.running, Verdict.AWAITING, "gen"), POLICY, 1.0
    )
    assert decide.approved(state, "other", "me") == state
    (run,) = decide.approved(state, "gen", "me").history
    assert run.outcome
    assert (run.approved, run.outcome.verdict) == ("me", Verdict.PUBLISHED)


def test_people_are_told_again_where_it_waits_for_something_else_alone() -> None:
    def told(state: State) -> str:
        pending = state.wanted("retrain")
        assert pending
        return decide.noted(state, POLICY, 0.0).but("reindex").pending[0].told

    state = decide.noted(decide.asked(State(), "retrain", reason()), POLICY, 0.0)
    assert told(state) == Standing.DATA.value
    busy = begin(decide.asked(state, "reindex", reason(Kind.PERSON, "p")), 0.0)
    assert standing(busy, 0.0) is Standing.BUSY
    assert told(busy) == Standing.DATA.value  # as it is known
    assert told(decide.asked(State(), "retrain", reason(Kind.PERSON, "p"))) == ""


def test_one_process_keeps_the_runs() -> None:
    state = decide.kept(State(), "a", 0.0, 10.0)
    assert decide.kept(state, "b", 9.0, 10.0) == state
    assert decide.kept(state, "a", 4.0, 10.0) == state
    state = decide.kept(state, "a", 6.0, 10.0)
    assert state.keeper
    assert state.keeper.until == 16.0
    taken = decide.kept(state, "b", 16.0, 10.0)
    assert taken.keeper
    assert taken.keeper.name == "b"
    assert decide.left(taken, "a") == taken
    assert decide.left(taken, "b").keeper is None


# -- any world ---------------------------------------------------------------------------------------------------------

EVENTS = st.one_of(
    st.tuples(st.just("alert"), st.integers(0, 4)),
    st.tuples(st.just("resolved"), st.integers(0, 4)),
    st.tuples(st.just("data"), st.integers(0, 3)),
    st.tuples(st.just("person"), st.integers(0, 2)),
    st.tuples(st.just("end"), st.sampled_from(OF_RETRAINING)),
    st.tuples(st.just("cancel"), st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 200)),
)


@given(st.lists(EVENTS, min_size=20, max_size=80), st.booleans())
def test_in_any_world_nothing_is_lost_and_nothing_doubled(
    events: list[tuple[str, object]], watched: bool
) -> None:
    policy = replace(POLICY, watched=watched)
    state, now, names = State(), 0.0, 0
    firing: set[str] = set()  # alerts that nobody has resolved, and no run has answered since
    for kind, what in events:
        before = state
        if kind == "alert":
            key = f"alert {what}"
            firing.add(key)
            state = again(
                state,
                lambda state, key=key, now=now: decide.asked(state, "retrain", reason(key=key, time=now)),
            )
        elif kind == "resolved":
            firing.discard(f"alert {what}")
            state = again(state, lambda state, what=what: decide.resolved(state, f"alert {what}"))
        elif kind == "data":
            version = data(str(what), now)
            state = again(state, lambda state, version=version: decide.arrived(state, version, served=""))
        elif kind == "person":
            wish = reason(Kind.PERSON, f"person {what} {now}", now)
            state = again(state, lambda state, wish=wish: decide.asked(state, "retrain", wish))
        elif kind == "cancel" and state.running:
            name = state.running.name
            state = again(state, lambda state, name=name: decide.cancelled(state, name, "me"))
        elif kind == "end" and state.running:
            run = state.running
            assert isinstance(what, Verdict)
            told = outcome(run, what)
            state = again(
                state,
                lambda state, run=run, told=told, now=now: decide.ended(state, run.name, told, policy, now),
            )
            if what in CONCLUSIVE or run.cancelled or run.attempt == policy.attempts:
                firing -= {own.key for own in run.reasons}
        elif kind == "wait":
            assert isinstance(what, int)
            now += float(what)
        if state.running is None and (pending := decide.next_run(state, policy, now)):
            check_may_begin(
                state, pending.pipeline, policy, now, {own.kind for own in pending.reasons}, pending.attempt
            )
            state = decide.begun(state, pending, f"run {names}", now)
            names += 1
        state = again(state, lambda state, now=now: decide.noted(state, policy, now))
        assert len({own.pipeline for own in state.pending}) == len(state.pending)
        assert len({run.name for run in state.history}) == len(state.history)
        known = {own.key for pending in state.pending for own in pending.reasons}
        known |= {own.key for own in state.running.reasons} if state.running else set()
        assert firing <= known, (kind, what, before)
        assert State.of_json(state.to_json()) == state
        for pending in state.pending:  # what cannot begin says why
            assert (
                decide.decide(state, pending, policy, now).standing is not Standing.READY
                or state.running is None
            )


def again(state: State, step: object) -> State:
    """A step is made again where its answer was lost: it changes nothing then."""
    assert callable(step)
    changed: State = step(state)
    assert step(changed) == changed
    return changed


def check_may_begin(
    state: State, pipeline: Pipeline, policy: Policy, now: float, kinds: set[Kind], attempt: int
) -> None:
    """A naive second look at whether a run may begin."""
    own = [run for run in state.history if run.pipeline == pipeline and run.outcome]
    if attempt > 1:
        assert now >= own[0].ended + policy.retry
    if Kind.PERSON in kinds:
        return
    assert sum(run.began > now - decide.DAY for run in own) < policy.runs_a_day
    if pipeline == "retrain" and attempt == 1 and own:
        assert now >= own[0].ended + policy.cool_down
    conclusive = [run for run in own if run.outcome and run.outcome.verdict in CONCLUSIVE]
    if policy.watched and conclusive:
        assert conclusive[0].data != state.data
