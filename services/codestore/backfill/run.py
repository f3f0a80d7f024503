"""One pass of a backfill: each item that lacks its code is read, encoded and put, a few pictures at a time.

It can be killed at any time and goes on where it was, as what is done is no longer lacking. A code counts only for the picture
that it was made of; of an item that was changed, deleted or put again meanwhile nothing is written.

A picture may end the process that decodes it, for want of memory or by a fault of a decoder. So it is noted what is being encoded: what a
process left there when it ended is tried one by one, and what several ended on goes into quarantine.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.codestore.backfill.pace import Pace
from services.codestore.backfill.patience import Patience
from services.codestore.backfill.turn import Turn
from services.codestore.connection import FencedError, StoreUnavailableError
from services.codestore.records import Lacking
from services.codestore.store import CodeStore
from services.codestore.turns import Progress, Trying
from taxohash.errors import TaxohashError
from taxohash.identifiers import shown

Codes = npt.NDArray[np.uint8]

_READERS = 8
_UNANSWERED = 64  # pictures one after the other of which no place answers: not the pictures' fault
_TOLD = 20  # failures that are told one by one
_DEATHS = 3  # of processes that encoded one picture alone, after which it is taken for their cause
_PAUSED_SECONDS = 0.5  # between two looks whether it is over
_PROGRESS_SECONDS = 1.0  # between two words to others


@dataclass(frozen=True)
class Backfilled:
    """What became of the items that lacked a code.

    Attributes:
        coded: have one now.
        overtaken: were changed or deleted meanwhile.
        quarantined: have a picture that could not be read or encoded, which was not known before.
        unanswered: have one in a place that did not answer: they are lacking still.
    """

    coded: int = 0
    overtaken: int = 0
    quarantined: int = 0
    unanswered: int = 0

    def __add__(self, other: "Backfilled") -> "Backfilled":
        return Backfilled(
            self.coded + other.coded,
            self.overtaken + other.overtaken,
            self.quarantined + other.quarantined,
            self.unanswered + other.unanswered,
        )

    @property
    def total(self) -> int:
        """Items that were looked at."""
        return self.coded + self.overtaken + self.quarantined + self.unanswered


def backfill(
    store: CodeStore,
    collection: str,
    generation_id: str,
    read: Callable[[Lacking], bytes],
    encode: Callable[[Sequence[bytes]], Codes],
    turn: Turn,
    pace: Pace,
    *,
    patience: Patience | None = None,
    seconds: float = math.inf,
    told: Callable[[str], None] = lambda _text: None,
    progress: Callable[[int], None] = lambda _done: None,
) -> Backfilled:
    """Encode each item that a generation lacks the code of, once, but those in quarantine.

    One picture that is bad stops nothing: it is told, put into quarantine and not tried again until it is another. While backfills of
    the collection are paused, it waits.

    Args:
        read: the picture of an item, as PictureSources.read; called by several threads.
        encode: uint8[N, ceil(bits/8)] of N pictures; raises TaxohashError where one of them is none.
        turn: of the generation, entered.
        patience: from pass to pass, so that places which do not answer hold up nothing.
        seconds: after which it ends, wherever it is.
        told: called with a line for each of the first failures.
        progress: called with how many items were looked at.

    Raises:
        FencedError: another runner has the generation by now.
        StoreUnavailableError: the code store does not answer as it should, or no place that pictures are in does.
    """
    passing = _Pass(store, collection, generation_id, turn, pace, patience or Patience(), told)
    pace.forget()
    deadline = pace.clock() + seconds
    try:
        with ThreadPoolExecutor(_READERS) as readers:
            for items in passing.work():
                passing.take(items, list(readers.map(lambda item: _tried(read, item), items)), encode)
                progress(passing.done.total)
                if pace.clock() > deadline:
                    passing.leave()
                    return passing.done
        passing.end()
    except FencedError:  # what is noted is the other runner's
        raise
    except (TaxohashError, KeyboardInterrupt):  # no picture's fault
        passing.leave()
        raise
    return passing.done


class _Pass:
    def __init__(
        self,
        store: CodeStore,
        collection: str,
        generation_id: str,
        turn: Turn,
        pace: Pace,
        patience: Patience,
        told: Callable[[str], None],
    ) -> None:
        self._store, self._collection, self._generation = store, collection, generation_id
        self._turn, self._pace, self._patience, self._told = turn, pace, patience, told
        self._known: set[str] = set()  # ids in quarantine
        # Ids that a process left when it ended, and how many have ended on each alone.
        self._suspects = store.trying(collection, generation_id).left()
        self._silent = 0  # pictures one after the other of which no place answered
        self._said_at = -_PROGRESS_SECONDS
        self.done = Backfilled()

    def work(self) -> Iterator[list[Lacking]]:
        """Items to be encoded, a few at a time, each when it may be; last of all those whose place did not answer before."""
        again = self._patience.due()
        yield from self._sweep(lambda item: not self._patience.knows(item))
        if again:
            yield from self._sweep(lambda item: (item.id, item.revision) in again)

    def _sweep(self, wanted: Callable[[Lacking], bool]) -> Iterator[list[Lacking]]:
        for page in self._store.lacking(self._collection, self._generation):
            known = self._store.are_quarantined(self._collection, self._generation, page)
            self._known.update(item.id for item, bad in zip(page, known, strict=True) if bad)
            items = [item for item, bad in zip(page, known, strict=True) if not bad and wanted(item)]
            for part in self._parts(items):
                self._pace.wait(len(part))
                self._heed_pause()
                self._turn.check()
                now = {item.id: self._suspects.pop(item.id, 0) for item in part}
                self._store.tell_trying(self._collection, self._generation, Trying(now, self._suspects))
                yield part

    def _parts(self, items: list[Lacking]) -> Iterator[list[Lacking]]:
        """Items that are encoded together; suspects are so alone, or never again."""
        others = [item for item in items if item.id not in self._suspects]
        for item in items:
            if self._suspects.get(item.id, 0) >= _DEATHS:
                self._condemn(item)
            elif item.id in self._suspects:
                yield [item]
        for first in range(0, len(others), self._pace.together):
            yield others[first : first + self._pace.together]

    def _condemn(self, item: Lacking) -> None:
        reason = f"{_DEATHS} processes ended while they encoded it"
        self._told(f"item {shown(item.id)} is put into quarantine: {reason}")
        self._quarantine([(item, reason)])
        self.done += Backfilled(quarantined=1)

    def take(
        self,
        items: list[Lacking],
        found: list[bytes | TaxohashError],
        encode: Callable[[Sequence[bytes]], Codes],
    ) -> None:
        """Encode these, of which what was read is given, and write what came of them."""
        pictures, bad, unanswered = [], [], []
        new: list[tuple[Lacking, TaxohashError]] = []  # of those unanswered, what is not known yet
        for item, answer in zip(items, found, strict=True):
            if isinstance(answer, StoreUnavailableError):
                self._silent += 1
                unanswered.append(answer)
                if self._patience.unanswered(item):
                    new.append((item, answer))
                continue
            self._silent = 0
            self._patience.answered(item)
            if isinstance(answer, bytes):
                pictures.append((item, answer))
            else:
                bad.append((item, answer))
        if self._silent >= _UNANSWERED:
            raise unanswered[-1]
        coded, codes, undecoded = _encoded(pictures, encode)
        bad += undecoded
        self._tell(bad, new)
        written = self._put(coded, codes) if coded else 0
        reasons = [(item, str(error).removeprefix("image 0: ")) for item, error in bad]
        self._quarantine(reasons)
        self.done += Backfilled(written, len(coded) - written, len(bad), len(unanswered))
        self._pace.count(len(items))
        self._say()

    def end(self) -> None:
        """Say how it ended, and forget what quarantine holds of items that lack nothing any more."""
        self._said_at = -_PROGRESS_SECONDS
        if self.done.total:
            self._say()
        self._store.forget_quarantined(self._collection, self._generation, self._turn.token, self._known)
        self.leave()

    def leave(self) -> None:
        """Note that nothing is being encoded any more."""
        with suppress(StoreUnavailableError):
            self._store.tell_trying(self._collection, self._generation, Trying())

    def _quarantine(self, reasons: list[tuple[Lacking, str]]) -> None:
        self._store.quarantine(self._collection, self._generation, self._turn.token, reasons)
        self._known.update(item.id for item, _ in reasons)

    def _put(self, items: list[Lacking], codes: Codes) -> int:
        """How many codes were taken."""
        ids, revisions = [item.id for item in items], [item.revision for item in items]
        write = self._turn.next_write()
        try:
            put = self._store.put_codes(
                self._collection, self._generation, ids, codes, revisions, write=write
            )
        except StoreUnavailableError:
            raise
        except TaxohashError:
            self._turn.ask()  # refused, as another runner has written since: then that is said
            raise
        return put.count("coded")

    def _heed_pause(self) -> None:
        said = False
        while who := self._store.paused(self._collection):
            if not said:
                self._told(f"paused by {who}: waiting until it is resumed")
                said = True
            self._turn.check()
            self._pace.sleep(_PAUSED_SECONDS)
        if said:
            self._told("resumed")
            self._pace.forget()

    def _say(self) -> None:
        """Let others see how far it is."""
        if (now := time.monotonic()) < self._said_at + _PROGRESS_SECONDS:
            return
        self._said_at = now
        told = Progress(
            self._turn.runner,
            self.done.total,
            self.done.coded,
            self.done.quarantined,
            self._pace.speed,
            time.time(),
        )
        self._store.tell_progress(self._collection, self._generation, told)

    def _tell(
        self, bad: list[tuple[Lacking, TaxohashError]], unanswered: list[tuple[Lacking, TaxohashError]]
    ) -> None:
        left = max(_TOLD - self.done.quarantined - self.done.unanswered, 0)
        lines = [f"item {shown(item.id)} is put into quarantine: {error}" for item, error in bad]
        lines += [f"item {shown(item.id)} waits: {error}" for item, error in unanswered]
        for line in lines[:left]:
            self._told(line)


def _tried(read: Callable[[Lacking], bytes], item: Lacking) -> bytes | TaxohashError:
    try:
        return read(item)
    except TaxohashError as error:
        return error


def _encoded(
    pictures: list[tuple[Lacking, bytes]], encode: Callable[[Sequence[bytes]], Codes]
) -> tuple[list[Lacking], Codes, list[tuple[Lacking, TaxohashError]]]:
    """Items with their codes, and those whose picture is none; of several together it is not known which, so each is tried."""
    items = [item for item, _ in pictures]
    if not items:
        return [], np.empty((0, 0), np.uint8), []
    try:
        return items, encode([data for _, data in pictures]), []
    except (TaxohashError, MemoryError) as error:
        if len(items) == 1:
            reason = error if isinstance(error, TaxohashError) else TaxohashError("it takes too much memory")
            return [], np.empty((0, 0), np.uint8), [(items[0], reason)]
    parts = [_encoded([picture], encode) for picture in pictures]
    coded = [item for own, _, _ in parts for item in own]
    failed = [failure for _, _, own in parts for failure in own]
    codes = [own for found, own, _ in parts if found]
    return coded, np.concatenate(codes) if codes else np.empty((0, 0), np.uint8), failed
