"""What of all that runs have left is kept, and why: of facts alone, without a look at a disk or a store.

A generation is kept where a collection needs it, and the newest ones are. A run is kept whole where it is one of the newest, or made
a generation that is kept; of every other one its facts and its outcome stay, which are some kilobytes. What a kept run uses is kept.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from services.codestore.records import State

DAY = 86_400.0
WEEK = 7 * DAY
MONTH = 30 * DAY
KEEP = 5


class Kind(StrEnum):
    """What a thing is, in the order in which things are removed: before a generation's files go, nobody can publish it."""

    CODES = "codes in the store"
    SERVED = "generations for services"
    GENERATION = "generations of runs"
    HALF = "generations half removed"
    TRAINING = "trainings"
    OUTPUT = "outputs of steps"
    CACHE = "answers of the cache"
    VERSION = "data versions"
    FILE = "files of data versions"
    LOG = "logs of runs"
    EVENTS = "events"
    LEFTOVER = "left by killed processes"


@dataclass(frozen=True)
class Thing:
    """Something that can be kept or removed.

    Attributes:
        name: the id of a generation, the md5 of a data version, the name of a run, ...; with kind and place it is unique.
        place: the collection, the address or the folder that it is in.
        bytes: that its removal sets free.
        used: Unix time at which it was last written or taken into use, as far as that is known.
        of: who uses it: runs; of an answer of the cache, the outputs that it names; of a file of data, its versions.
        paths: where it lies on this machine.
    """

    kind: Kind
    name: str
    place: str = ""
    bytes: int = 0
    used: float = 0.0
    of: frozenset[str] = frozenset()
    paths: tuple[Path, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class KnownRun:
    """A run that has a record.

    Attributes:
        begun: Unix time in seconds.
        goes_on: whether it is under way.
        collection: of the code store.
        generation: id of the one that it made, or empty.
        pipeline: that ran.
    """

    name: str
    begun: float
    goes_on: bool = False
    collection: str = ""
    generation: str = ""
    pipeline: str = ""


@dataclass(frozen=True)
class KnownCollection:
    """What a collection of the code store says of generations.

    Attributes:
        history: published ones, the current one first.
        leased: those that a process holds.
        states: state of each and the Unix time at which it was begun.
        heard: all that it has ever had, as far as its audit goes back.
    """

    name: str
    history: tuple[str, ...] = ()
    leased: frozenset[str] = frozenset()
    states: Mapping[str, tuple[State, float]] = field(default_factory=dict)
    heard: frozenset[str] = frozenset()

    @property
    def known(self) -> frozenset[str]:
        """All generations that were ever in it, as far as that is known."""
        return self.heard | {*self.states, *self.history}


@dataclass(frozen=True)
class Found:
    """All that there is.

    Attributes:
        collections: those of the code store; None where that does not say what it needs.
        silence: why it does not.
    """

    things: tuple[Thing, ...]
    runs: tuple[KnownRun, ...]
    collections: tuple[KnownCollection, ...] | None = ()
    silence: str = ""


@dataclass(frozen=True)
class Policy:
    """By what it is decided.

    Attributes:
        now: Unix time in seconds.
        keep: so many of the newest runs, and of the newest generations, are kept in any case.
        pinned: generations that are kept in any case.
    """

    now: float
    keep: int = KEEP
    pinned: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Decision:
    """Whether a thing is kept.

    Attributes:
        reasons: why; none where it goes.
    """

    thing: Thing
    reasons: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Whether it is."""
        return bool(self.reasons)


Reasons = tuple[str, ...]


def plan(found: Found, policy: Policy) -> list[Decision]:
    """What is kept and what goes, in the order of removal. Planned again after the removal, nothing goes."""
    if going := next((run.name for run in found.runs if run.goes_on), None):
        # It may be answered by any of them, out of the cache or because it makes the same once more.
        return _decided(found.things, lambda thing: (f"run {going} goes on",))
    needs = needed(found, policy)
    runs = _kept_runs(found.runs, needs, policy)
    first: dict[Kind, Callable[[Thing], Reasons]] = {
        Kind.CODES: lambda thing: _codes(thing, found, policy),
        Kind.SERVED: lambda thing: needs[thing.name] or _foreign(thing, found) or _fresh(thing, policy, DAY),
        Kind.GENERATION: lambda thing: needs[thing.name] or _fresh(thing, policy, DAY),
        Kind.HALF: lambda thing: (found.silence,) if found.collections is None else (),
        **dict.fromkeys(
            (Kind.TRAINING, Kind.OUTPUT, Kind.VERSION),
            lambda thing: _used(thing, runs, policy) or _fresh(thing, policy, DAY),
        ),
        Kind.LOG: lambda thing: _used(thing, runs, policy),
        Kind.EVENTS: lambda thing: _fresh(thing, policy, MONTH),
        Kind.LEFTOVER: lambda thing: _fresh(thing, policy, DAY),
    }
    decided = _decided([thing for thing in found.things if thing.kind in first], lambda t: first[t.kind](t))
    kept = {(decision.thing.kind, decision.thing.name) for decision in decided if decision.kept}
    since = min((run.begun for run in found.runs if run.name in runs), default=policy.now)
    last: dict[Kind, Callable[[Thing], Reasons]] = {
        Kind.CACHE: lambda thing: _answer(thing, kept, since),
        Kind.FILE: lambda thing: _of_versions(thing, kept),
    }
    rest = _decided([thing for thing in found.things if thing.kind in last], lambda t: last[t.kind](t))
    return sorted([*decided, *rest], key=lambda decision: _ORDER[decision.thing.kind])


def needed(found: Found, policy: Policy) -> defaultdict[str, Reasons]:
    """Why each generation is kept that is, by its id; of every other one nothing is said."""
    if found.collections is None:
        return defaultdict(lambda: (found.silence,))
    reasons: defaultdict[str, Reasons] = defaultdict(tuple)
    for collection in found.collections:
        for generation, why in _needs(collection, policy).items():
            reasons[generation] += why
    made: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for run in sorted(found.runs, key=lambda run: run.begun):
        if run.generation:
            made[run.collection][run.generation] = run.begun
    for name, begun in made.items():
        for generation in _newest(begun, policy.keep):
            reasons[generation] += (_last(policy, name),)
    written: defaultdict[str, float] = defaultdict(float)
    for thing in found.things:
        if thing.kind in (Kind.SERVED, Kind.GENERATION):
            written[thing.name] = max(written[thing.name], thing.used)
    for generation in _newest(written, policy.keep):
        reasons[generation] += (f"one of the last {policy.keep}",)
    for generation in policy.pinned:
        reasons[generation] += ("pinned",)
    return reasons


def _last(policy: Policy, collection: str) -> str:
    return f"one of the last {policy.keep} of {collection!r}"


def _needs(collection: KnownCollection, policy: Policy) -> dict[str, Reasons]:
    """Why the collection itself needs those that it does."""
    found: defaultdict[str, Reasons] = defaultdict(tuple)
    shown = repr(collection.name)
    for generation, why in zip(
        collection.history, (f"published in {shown}", f"where a roll-back of {shown} goes"), strict=False
    ):
        found[generation] += (why,)
    for generation in collection.leased:
        found[generation] += (f"leased in {shown}",)
    for generation, (state, created) in collection.states.items():
        if state == "sealed" and not _is_overtaken(collection, created):
            found[generation] += (f"awaits approval in {shown}",)
        if state == "building" and created > policy.now - WEEK:
            found[generation] += (f"being built in {shown}",)
    sealed = {name: created for name, (state, created) in collection.states.items() if state == "sealed"}
    for generation in _newest(sealed, policy.keep):
        if generation not in found:
            found[generation] += (f"one of the last {policy.keep} sealed in {shown}",)
    return found


def _is_overtaken(collection: KnownCollection, created: float) -> bool:
    """Whether one that was begun later is published."""
    current = collection.states.get(collection.history[0]) if collection.history else None
    return current is not None and created < current[1]


def _codes(thing: Thing, found: Found, policy: Policy) -> Reasons:
    """Those of a retired generation can be made again, and nobody asks for them: they are kept for need alone."""
    collection = next(known for known in found.collections or () if known.name == thing.place)
    if collection.states[thing.name][0] == "dropping":
        return ()
    pinned = ("pinned",) if thing.name in policy.pinned else ()
    return (*_needs(collection, policy).get(thing.name, ()), *pinned)


def _kept_runs(
    runs: Iterable[KnownRun], needs: defaultdict[str, Reasons], policy: Policy
) -> Mapping[str, Reasons]:
    """Why each run is kept whole that is, by its name."""
    reasons: defaultdict[str, Reasons] = defaultdict(tuple)
    begun: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for run in runs:
        begun[run.pipeline][run.name] = run.begun
    for own in begun.values():  # one that looks for drift each night takes no place of a retraining
        for name in _newest(own, policy.keep):
            reasons[name] += (f"one of the last {policy.keep} runs",)
    made: defaultdict[str, list[str]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.begun, run.name)):
        if run.generation and needs[run.generation]:
            made[run.generation].append(run.name)
    for generation, names in made.items():
        for name in dict.fromkeys((names[0], names[-1])):  # between them are those that made the same again
            reasons[name] += (f"made {generation}: {needs[generation][0]}",)
    return reasons


def _used(thing: Thing, runs: Mapping[str, Reasons], policy: Policy) -> Reasons:
    if not thing.of:  # runs in a cluster do not say what they use on their claim
        return _fresh(thing, policy, WEEK)
    return tuple(f"run {name}, {why}" for name in sorted(thing.of) for why in runs.get(name, ()))


def _foreign(thing: Thing, found: Found) -> Reasons:
    """Another store, or the runs of another home, may need what is not known here."""
    here = {run.generation for run in found.runs}.union(*(known.known for known in found.collections or ()))
    return () if thing.name in here else ("not known here",)


def _fresh(thing: Thing, policy: Policy, seconds: float) -> Reasons:
    spans = {DAY: "a day", WEEK: "a week", MONTH: "30 days"}
    return (f"used within {spans[seconds]}",) if thing.used > policy.now - seconds else ()


def _answer(thing: Thing, kept: set[tuple[Kind, str]], since: float) -> Reasons:
    if thing.of:
        there = all((Kind.OUTPUT, name) in kept for name in thing.of)
        return ("of outputs that are kept",) if there else ()
    return ("as old as the runs that are kept",) if thing.used >= since else ()


def _of_versions(thing: Thing, kept: set[tuple[Kind, str]]) -> Reasons:
    found = sorted(name for name in thing.of if (Kind.VERSION, name) in kept)
    return (f"of data version {found[0]}",) if found else ()


def _newest(times: Mapping[str, float], count: int) -> list[str]:
    return sorted(times, key=lambda name: (-times[name], name))[:count]


def _decided(things: Iterable[Thing], reasons: Callable[[Thing], Reasons]) -> list[Decision]:
    return [Decision(thing, reasons(thing)) for thing in things]


_ORDER = {kind: number for number, kind in enumerate(Kind)}
