"""What is kept, of facts that hypothesis draws: all that is needed, and the same when it is planned again."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.retention.plan import (
    DAY,
    WEEK,
    Decision,
    Found,
    Kind,
    KnownCollection,
    KnownRun,
    Policy,
    Thing,
    needed,
    plan,
)

few = settings(max_examples=30)
NOW = 1000 * DAY
IDS = [f"g{number}" for number in range(6)]
RUNS = [f"r{number}" for number in range(6)]
OUTPUTS, VERSIONS = ["o0", "o1", "o2"], ["v0", "v1"]
TIMES = st.sampled_from([0.0, NOW - 100 * DAY, NOW - 20 * DAY, NOW - 2 * DAY, NOW - 60.0])
STATES = st.sampled_from(["building", "sealed", "retired", "dropping"])


@st.composite
def collections(draw: Any, name: str) -> KnownCollection:
    states = draw(st.dictionaries(st.sampled_from(IDS), st.tuples(STATES, TIMES), max_size=5))
    history = tuple(draw(st.permutations(sorted(states))))[: draw(st.integers(0, 3))]
    states |= {
        generation: ("published" if place == 0 else "retired", states[generation][1])
        for place, generation in enumerate(history)
    }
    leased = frozenset(draw(st.sets(st.sampled_from(IDS), max_size=2)))
    return KnownCollection(name, history, leased, states, frozenset(draw(st.sets(st.sampled_from(IDS)))))


def users(names: list[str]) -> Any:
    return st.frozensets(st.sampled_from(names), max_size=2)


@st.composite
def facts(draw: Any) -> Found:
    known = (draw(collections("a")), draw(collections("b")))
    runs = [
        KnownRun(
            name,
            draw(TIMES),
            collection=draw(st.sampled_from("ab")),
            generation=draw(st.sampled_from(["", *IDS])),
            pipeline=draw(st.sampled_from(["retrain", "drift"])),
        )
        for name in draw(st.sets(st.sampled_from(RUNS)))
    ]
    things = [Thing(Kind.CODES, name, own.name, 3) for own in known for name in own.states]
    for kind, names, of in [
        (Kind.SERVED, IDS, st.just(frozenset[str]())),
        (Kind.GENERATION, IDS, st.just(frozenset[str]())),
        (Kind.HALF, ["h"], st.just(frozenset[str]())),
        (Kind.TRAINING, ["t0", "t1"], users(RUNS)),
        (Kind.OUTPUT, OUTPUTS, users(RUNS)),
        (Kind.CACHE, ["c0", "c1", "c2"], users(OUTPUTS)),
        (Kind.VERSION, VERSIONS, users(RUNS)),
        (Kind.FILE, ["f0", "f1"], users(VERSIONS)),
        (Kind.EVENTS, ["e"], st.just(frozenset[str]())),
        (Kind.LEFTOVER, ["l"], st.just(frozenset[str]())),
    ]:
        things += [
            Thing(kind, name, used=draw(TIMES), of=draw(of)) for name in draw(st.sets(st.sampled_from(names)))
        ]
    things += [Thing(Kind.LOG, run.name, of=frozenset({run.name})) for run in runs]
    return Found(tuple(things), tuple(runs), draw(st.sampled_from([known, known[:1]])))


def consistent(found: Found) -> Found:
    """Codes are told of collections that are there."""
    there = {own.name for own in found.collections or ()}
    things = tuple(thing for thing in found.things if thing.kind is not Kind.CODES or thing.place in there)
    return replace(found, things=things)


FOUND = facts().map(consistent)
POLICIES = st.builds(Policy, st.just(NOW), st.integers(1, 4), st.frozensets(st.sampled_from(IDS), max_size=1))


def kept(decisions: list[Decision], kind: Kind) -> set[str]:
    return {own.thing.name for own in decisions if own.kept and own.thing.kind is kind}


def names(found: Found, kind: Kind) -> set[str]:
    return {thing.name for thing in found.things if thing.kind is kind}


def after(found: Found, decisions: list[Decision]) -> Found:
    """What there is when all that goes has gone."""
    gone = {
        (own.thing.place, own.thing.name)
        for own in decisions
        if own.thing.kind is Kind.CODES and not own.kept
    }
    known = tuple(
        replace(
            own,
            states={name: state for name, state in own.states.items() if (own.name, name) not in gone},
            history=tuple(name for name in own.history if (own.name, name) not in gone),
            heard=own.known,
        )
        for own in found.collections or ()
    )
    return replace(found, things=tuple(own.thing for own in decisions if own.kept), collections=known)


@few
@given(FOUND, POLICIES)
def test_every_generation_that_somebody_needs_is_kept_with_its_codes(found: Found, policy: Policy) -> None:
    decisions = plan(found, policy)
    must, codes = set(policy.pinned), {(own.thing.place, own.thing.name) for own in decisions if own.kept}
    for own in found.collections or ():
        asked = {*own.history[:2], *own.leased}
        current = own.states[own.history[0]][1] if own.history else 0.0
        for name, (state, created) in own.states.items():
            if (state == "sealed" and created >= current) or (state == "building" and created > NOW - WEEK):
                asked.add(name)
        assert all(
            (own.name, name) in codes
            for name in asked & own.states.keys()
            if own.states[name][0] != "dropping"
        )
        must |= asked
    for kind in (Kind.SERVED, Kind.GENERATION):
        assert must & names(found, kind) <= kept(decisions, kind)


@few
@given(FOUND, POLICIES)
def test_the_newest_runs_and_those_that_made_what_is_kept_are_whole(found: Found, policy: Policy) -> None:
    decisions = plan(found, policy)
    newest = list[KnownRun]()
    for pipeline in ("retrain", "drift"):
        own = [run for run in found.runs if run.pipeline == pipeline]
        newest += sorted(own, key=lambda run: (-run.begun, run.name))[: policy.keep]
    makers = [run for run in found.runs if needed(found, policy).get(run.generation)]
    whole = {run.name for run in newest}
    for generation in {run.generation for run in makers}:
        own = sorted((run for run in makers if run.generation == generation), key=lambda r: (r.begun, r.name))
        whole |= {own[0].name, own[-1].name}
    assert kept(decisions, Kind.LOG) == whole
    for decision in decisions:
        if decision.thing.kind in (Kind.TRAINING, Kind.OUTPUT, Kind.VERSION) and decision.thing.of & whole:
            assert decision.kept
    for decision in decisions:
        if decision.thing.kind is Kind.FILE:
            assert decision.kept == bool(decision.thing.of & kept(decisions, Kind.VERSION))
        if decision.thing.kind is Kind.CACHE and decision.thing.of:
            assert decision.kept == (decision.thing.of <= kept(decisions, Kind.OUTPUT))


@few
@given(FOUND, POLICIES)
def test_planned_again_after_the_removal_nothing_goes(found: Found, policy: Policy) -> None:
    decisions = plan(found, policy)
    assert {own.thing for own in decisions} == {*found.things}
    again = plan(after(found, decisions), policy)
    assert [own.thing for own in again if not own.kept] == []


@few
@given(FOUND, POLICIES)
def test_who_keeps_more_loses_nothing_that_less_would_keep(found: Found, policy: Policy) -> None:
    less, more = plan(found, policy), plan(found, replace(policy, keep=policy.keep + 1))
    assert {own.thing for own in less if own.kept} <= {own.thing for own in more if own.kept}


@few
@given(FOUND, POLICIES, st.sampled_from(RUNS))
def test_while_a_run_goes_on_all_is_kept(found: Found, policy: Policy, name: str) -> None:
    runs = (*(run for run in found.runs if run.name != name), KnownRun(name, 0.0, goes_on=True))
    decisions = plan(replace(found, runs=runs), policy)
    assert all(own.reasons == (f"run {name} goes on",) for own in decisions)


@few
@given(FOUND, POLICIES)
def test_where_the_store_is_silent_all_generations_and_what_made_them_are_kept(
    found: Found, policy: Policy
) -> None:
    things = tuple(thing for thing in found.things if thing.kind is not Kind.CODES)
    decisions = plan(replace(found, things=things, collections=None, silence="it is away"), policy)
    for kind in (Kind.SERVED, Kind.GENERATION, Kind.HALF):
        assert kept(decisions, kind) == names(found, kind)
    makers = {run.generation for run in found.runs if run.generation}
    shown = {run.generation for run in found.runs if run.name in kept(decisions, Kind.LOG)}
    assert makers <= shown


def test_one_that_awaits_approval_is_overtaken_when_a_later_one_is_published() -> None:
    states: dict[str, Any] = {
        "old": ("sealed", 1.0),
        "current": ("published", 2.0),
        "new": ("sealed", 3.0),
        "newest": ("sealed", 4.0),
    }
    known = KnownCollection("c", ("current",), states=states)
    found = Found(tuple(Thing(Kind.CODES, name, "c") for name in states), (), (known,))
    decisions = plan(found, Policy(NOW, keep=1))
    assert {own.thing.name: own.reasons for own in decisions} == {
        "old": (),
        "current": ("published in 'c'",),
        "new": ("awaits approval in 'c'",),
        "newest": ("awaits approval in 'c'",),
    }
