"""How far the backfill of a collection is."""

import time
from dataclasses import dataclass
from itertools import islice

from services.codestore.quarantine import Lack, Quarantined
from services.codestore.records import State
from services.codestore.store import CodeStore
from services.codestore.turns import FOLLOWING

_FRESH_SECONDS = 60.0  # for which a speed says something of now
MOST_LISTED = 1000


@dataclass(frozen=True)
class GenerationStatus:
    """One live generation.

    Attributes:
        members: items that should have a code.
        codes: those that have one.
        waiting: those that a backfill will encode.
        quarantined: those whose picture could not be encoded.
        without_picture: those that have none.
        runner: who encodes it now, or None.
        speed: items a second of late, or None where nobody encodes it.
        seconds_left: until none waits, at this speed; or None.
        quarantine: the first of them.
    """

    id: str
    state: State
    members: int
    codes: int
    waiting: int
    quarantined: int
    without_picture: int
    runner: str | None
    speed: float | None
    seconds_left: float | None
    quarantine: tuple[Quarantined, ...]


@dataclass(frozen=True)
class BackfillStatus:
    """All of a collection.

    Attributes:
        paused: who paused it, or empty.
        follower: the process that goes on looking for work, or None.
    """

    collection: str
    paused: str
    follower: str | None
    generations: tuple[GenerationStatus, ...]


def status(store: CodeStore, collection: str) -> BackfillStatus:
    """What lacks now, counted item by item, and what runners told last.

    Raises:
        TaxohashError: see CodeStore.
    """
    held, told, paused = store.held(collection), store.progress(collection), store.paused(collection)

    def of(name: str, state: State, members: int, codes: int) -> GenerationStatus:
        lack = store.lack(collection, name) if members > codes else Lack()
        runner, last = held.get(name), told.get(name)
        speed = None
        if runner and last and last.runner == runner.runner and time.time() - last.when < _FRESH_SECONDS:
            speed = None if paused else last.speed
        left = lack.waiting / speed if speed else 0.0 if not lack.waiting else None
        entries = store.quarantined(collection, name) if lack.quarantined else iter(())
        return GenerationStatus(
            id=name,
            state=state,
            members=members,
            codes=codes,
            waiting=lack.waiting,
            quarantined=lack.quarantined,
            without_picture=lack.without_picture,
            runner=runner.runner if runner else None,
            speed=speed,
            seconds_left=left,
            quarantine=tuple(islice(entries, MOST_LISTED)),
        )

    follower = held.get(FOLLOWING)
    return BackfillStatus(
        collection=collection,
        paused=paused,
        follower=follower.runner if follower else None,
        generations=tuple(
            of(known.ref.id, known.state, known.members, known.codes)
            for known in store.generations(collection)
            if known.live
        ),
    )
