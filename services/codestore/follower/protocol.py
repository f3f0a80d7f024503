"""How one generation is followed, as a state machine: it has no thread, no clock and no socket.

A segment is *loaded* by all its pages and then by the changes since the position of the first page: a row that was written
while the pages were read is read again, any other row is as it was at that position. Then it is *followed*: changes since
the position that was read last, after each hint and at least every second. What is read of a segment is held until nothing
more is unread, and is then applied in one step. So, at any time, **the replica's segment is exactly the server's segment
at the position that the follower names**; parts would show an item twice that moved to a row read already.

Why disorder changes nothing:

- A segment has either pages in flight, each asked once, or one request for changes, or none. Every request has a number,
  and an answer is taken once, for a number that is in flight. What comes twice, late (its request was given up or belongs
  to a load that was begun anew) or unasked is dropped. It could be harmful, as its rows can be older than those applied,
  and it is never needed, as the request that took its place brings at least as much.
- Pages may be answered in any order: the others are asked when the first has come, so none is older than it.
- A request reads what is there when it is made, so a request that failed is made again as it was, without a gap. Hints
  only say when to look; one that is lost, doubled, late or false costs a look or a second.
- A position counts writes, and its stamp (when that write was applied, in microseconds) tells two histories apart: a
  promoted replica that lost the last writes counts the same positions again. A request for changes names the marks at
  which the rows before it were read. Where the server finds another stamp at one of them, or has trimmed what came after
  them, it answers "trimmed". The segment is then loaded anew, and its old rows stay until the new ones have come whole.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from services.codestore.records import Columns
from services.codestore.wire import BLOCK
from taxohash.errors import TaxohashError

State = Literal["loading", "following", "cut", "gone", "stale"]
"""loading until all segments were loaded once; cut: the store does not answer; gone: the generation was dropped; stale:
the collection was wiped and made anew. The last two are final."""


@dataclass(frozen=True, order=True)
class Mark:
    """A point in the history of a segment: how many writes, and the stamp of the last of them."""

    position: int
    stamp: int


@dataclass(frozen=True)
class Page:
    """Asks for the rows of some blocks."""

    number: int
    segment: int
    first_block: int
    blocks: int


@dataclass(frozen=True)
class Changes:
    """Asks for all rows that were written since, if the server's history has the marks that were seen before."""

    number: int
    segment: int
    since: int
    seen: tuple[Mark, ...]


Request = Page | Changes


@dataclass(frozen=True)
class PageRead:
    """The answer to Page."""

    columns: Columns


@dataclass(frozen=True)
class ChangesRead:
    """The answer to Changes.

    Attributes:
        columns: the rows that were written after `since`, as they are now.
        until: up to this write; below the position of `columns`, there is more.
        age: seconds since the first write after `since`, by the server's clock; 0 where there is none.
    """

    columns: Columns
    until: int
    age: float


@dataclass(frozen=True)
class Trimmed:
    """The server does not know what was written since."""


@dataclass(frozen=True)
class Gone:
    """The generation was dropped."""


@dataclass(frozen=True)
class Stale:
    """The collection was wiped and made anew."""


@dataclass(frozen=True)
class Failed:
    """No answer, and why."""

    error: str


Answer = PageRead | ChangesRead | Trimmed | Gone | Stale | Failed


@dataclass(frozen=True)
class ResetSegment:
    """Forget the rows of a segment; `rows` of them are about to come."""

    segment: int
    rows: int


@dataclass(frozen=True)
class LoadPage:
    """Set rows of a segment that was reset."""

    segment: int
    columns: Columns


@dataclass(frozen=True)
class ApplyColumns:
    """Set rows that were written; those from `columns.total` on are gone."""

    segment: int
    columns: Columns


Effect = ResetSegment | LoadPage | ApplyColumns


@dataclass(frozen=True)
class Step:
    """What an input leads to.

    Attributes:
        requests: to be made; each is answered, or failed.
        effects: to be applied to the replica in this order, and to be seen by searches together. Only then may the
            follower's marks be shown to others.
        waited: seconds that the oldest write among the effects had to wait, by the best knowledge; None for a load.
    """

    requests: tuple[Request, ...] = ()
    effects: tuple[Effect, ...] = ()
    waited: float | None = None


@dataclass(frozen=True)
class Lag:
    """How far a follower is behind.

    Attributes:
        entries: writes that are known and not applied.
        seconds: since the oldest of them.
        age: seconds since the last time at which nothing was unread, infinite before the load: while the store does
            not answer, nobody knows of newer writes, and `seconds` stays as it is.
    """

    entries: int
    seconds: float
    age: float


@dataclass(frozen=True)
class Pace:
    """How often is asked, in seconds, and how much.

    Attributes:
        look: a segment is looked at this often without a hint.
        first_retry, last_retry: the pause after a failure, doubled with each up to the last, less up to a half by chance.
        requests: in flight at once. To segments whose last request failed there is only one, so that a node that does
            not answer cannot hold up the segments of others.
        blocks: in a page.
    """

    look: float = 1.0
    first_retry: float = 0.05
    last_retry: float = 2.0
    requests: int = 4
    blocks: int = 128


@dataclass(eq=False)
class _Segment:
    number: int
    mark: Mark | None = None  # what the replica holds
    since: int | None = None  # up to where all is read, held or applied; None while pages are missing
    seen: tuple[Mark, ...] = ()  # when it was read, and not confirmed by a later answer
    missing: deque[int] = field(
        default_factory=lambda: deque([0])
    )  # first blocks of pages that are not asked
    held: list[Effect] = field(default_factory=list)  # to be applied when nothing is unread
    due: float = math.inf  # when it wants its next request
    failures: int = 0  # since the last answer
    hinted: float = 0  # the position of the newest hint, infinite where it named none
    hinted_at: float = -math.inf
    unread_since: float | None = None
    complete_at: float = -math.inf  # when the last look was made that left nothing unread


@dataclass(frozen=True)
class _Asked:
    request: Request
    at: float


class FollowerProtocol:
    """One follower of one generation over some segments. Times are seconds of any clock that never goes back."""

    def __init__(self, segments: int, pace: Pace = Pace(), chance: random.Random | None = None) -> None:
        self.error = ""  # of the last request that failed
        self._pace = pace
        self._chance = chance or random.Random()
        self._segments = [_Segment(number) for number in range(segments)]
        self._in_flight: dict[int, _Asked] = {}
        self._asked = 0
        self._failing = 0
        self._unloaded = segments
        self._ended: Literal["gone", "stale"] | None = None
        # (due, segment); an entry counts while the segment still has this time. Those that failed wait apart.
        self._queue: list[tuple[float, int]] = []
        self._retries: list[tuple[float, int]] = []

    # What is known

    @property
    def state(self) -> State:
        """See State."""
        if self._ended:
            return self._ended
        if self._failing:
            return "cut"
        return "following" if self.ready else "loading"

    @property
    def ready(self) -> bool:
        """All segments were loaded once."""
        return self._unloaded == 0

    @property
    def marks(self) -> tuple[Mark | None, ...]:
        """What the replica holds of each segment when all effects are applied; None before it is loaded."""
        return tuple(segment.mark for segment in self._segments)

    def covers(self, token: Mapping[int, int]) -> bool:
        """Whether the replica holds these positions of segments, when all effects are applied. See `covers`."""
        return covers(self.marks, token)

    def lag(self, now: float) -> Lag:
        """How far the replica is behind the server, as far as is known. Other threads may ask, too."""
        unread = [now - since for s in self._segments if (since := s.unread_since) is not None]
        return Lag(
            entries=sum(_unread_entries(segment) for segment in self._segments),
            seconds=max(unread, default=0.0),
            age=max(now - segment.complete_at for segment in self._segments),
        )

    def wake_at(self) -> float:
        """When `tick` has something to do if nothing else comes first; infinite while an answer must come first."""
        if self._ended or len(self._in_flight) >= self._pace.requests:
            return math.inf
        heads = (
            [self._head(self._queue)]
            if self._probing
            else [self._head(self._queue), self._head(self._retries)]
        )
        return min(heads)

    # Inputs

    def start(self, now: float) -> Step:
        """Begin to load."""
        for segment in self._segments:
            self._schedule(segment, now)
        return self._step(now)

    def tick(self, now: float) -> Step:
        """Time has passed."""
        return self._step(now)

    def hint(self, segment: int, position: int | None, now: float) -> Step:
        """Somebody says that a segment was written, and up to where if they know."""
        if 0 <= segment < len(self._segments):
            self._hint(self._segments[segment], math.inf if position is None else position, now)
        return self._step(now)

    def look(self, now: float) -> Step:
        """Hints may have been lost: look at every segment."""
        for segment in self._segments:
            self._hint(segment, math.inf, now)
        return self._step(now)

    def answered(self, number: int, answer: Answer, now: float) -> Step:
        """An answer to the request of this number has come."""
        asked = self._in_flight.get(number)
        if asked is None:
            return self._step(now)
        del self._in_flight[number]
        segment = self._segments[asked.request.segment]
        effects: tuple[Effect, ...] = ()
        waited = None
        match asked.request, answer:
            case Page(), PageRead(columns):
                self._page(segment, columns, now)
            case Changes(since=since), ChangesRead(columns, until) if _fits(since, columns, until):
                effects, waited = self._changes(segment, answer, asked.at, now)
            case Changes(), Trimmed():
                self._begin(segment, now)
            case _, Gone():
                self._end("gone")
            case _, Stale():
                self._end("stale")
            case request, Failed(error):
                self._failed(segment, request, error, now)
            case request, _:
                self._failed(segment, request, f"the answer to {request} does not fit it", now)
        step = self._step(now)
        return Step(step.requests, effects, waited)

    # Answers

    def _page(self, segment: _Segment, columns: Columns, now: float) -> None:
        if not segment.seen:
            segment.held.append(ResetSegment(segment.number, columns.total))
            blocks = -(-columns.total // BLOCK)
            segment.missing.extend(range(self._pace.blocks, blocks, self._pace.blocks))
        segment.held.append(LoadPage(segment.number, columns))
        _see(segment, columns)
        self._succeeded(segment)
        if not segment.missing:
            if self._is_asked(segment):
                return
            segment.since = segment.seen[0].position
        # A first load goes on before others are begun, so that few segments are held; a later one takes its turn.
        self._schedule(segment, now if segment.mark else -math.inf)

    def _changes(
        self, segment: _Segment, answer: ChangesRead, asked_at: float, now: float
    ) -> tuple[tuple[Effect, ...], float | None]:
        columns = answer.columns
        if answer.until != segment.since:
            segment.held.append(ApplyColumns(segment.number, columns))
        segment.since, segment.seen = answer.until, ()
        _see(segment, columns)
        if answer.age > 0:
            _note_unread(segment, now - answer.age)
        self._succeeded(segment)
        if segment.hinted_at <= asked_at or segment.hinted <= columns.position:
            segment.hinted = 0
        if answer.until < columns.position:
            self._schedule(segment, now)
            return (), None
        effects, waited = self._take(segment, now)
        segment.complete_at = asked_at
        segment.unread_since = None
        if segment.hinted:
            _note_hint(segment)
        self._schedule(segment, now if segment.hinted else now + self._pace.look)
        return effects, waited

    def _take(self, segment: _Segment, now: float) -> tuple[tuple[Effect, ...], float | None]:
        """What was held, now that nothing is unread."""
        effects, waited = tuple(segment.held), None
        segment.held.clear()
        if effects and isinstance(effects[0], ApplyColumns) and segment.unread_since is not None:
            waited = now - segment.unread_since
        self._unloaded -= segment.mark is None
        segment.mark = segment.seen[-1]
        return effects, waited

    def _begin(self, segment: _Segment, now: float) -> None:
        """Load a segment anew; what is in flight for it is forgotten."""
        self._in_flight = {n: a for n, a in self._in_flight.items() if a.request.segment != segment.number}
        segment.since, segment.seen = None, ()
        segment.missing = deque([0])
        segment.held.clear()
        self._succeeded(segment)
        self._schedule(segment, now)

    def _end(self, state: Literal["gone", "stale"]) -> None:
        self._ended = state
        self._in_flight.clear()

    def _failed(self, segment: _Segment, request: Request, error: str, now: float) -> None:
        if isinstance(request, Page):
            segment.missing.appendleft(request.first_block)
        self.error = error
        self._failing += segment.failures == 0
        pause = min(self._pace.last_retry, self._pace.first_retry * 2.0 ** min(segment.failures, 32))
        segment.failures += 1
        self._schedule(segment, now + pause * self._chance.uniform(0.5, 1.0))

    def _succeeded(self, segment: _Segment) -> None:
        self._failing -= segment.failures > 0
        segment.failures = 0

    # Requests

    def _hint(self, segment: _Segment, position: float, now: float) -> None:
        if segment.since is not None and position <= segment.since:
            return
        segment.hinted, segment.hinted_at = max(segment.hinted, position), now
        if segment.since is None:
            return  # the changes after the pages will bring it
        _note_hint(segment)
        if not segment.failures and now < segment.due < math.inf:
            self._schedule(segment, now)

    def _step(self, now: float) -> Step:
        requests = []
        while not self._ended and len(self._in_flight) < self._pace.requests:
            segment = self._next(now)
            if segment is None:
                break
            requests.append(self._ask(segment, now))
        return Step(tuple(requests))

    def _next(self, now: float) -> _Segment | None:
        """The segment that waits longest for its turn."""
        for queue in (self._queue,) if self._probing else (self._retries, self._queue):
            if self._head(queue) <= now:
                return self._segments[heapq.heappop(queue)[1]]
        return None

    def _ask(self, segment: _Segment, now: float) -> Request:
        self._asked += 1
        request: Request
        if segment.since is None:
            request = Page(self._asked, segment.number, segment.missing.popleft(), self._pace.blocks)
        else:
            request = Changes(self._asked, segment.number, segment.since, segment.seen)
        self._in_flight[request.number] = _Asked(request, now)
        self._schedule(segment, segment.due if segment.since is None and segment.missing else math.inf)
        return request

    def _schedule(self, segment: _Segment, due: float) -> None:
        segment.due = due
        if due < math.inf:
            heapq.heappush(self._retries if segment.failures else self._queue, (due, segment.number))

    def _head(self, queue: list[tuple[float, int]]) -> float:
        """When the first of a queue is due; entries that no longer count are let go."""
        while queue:
            due, number = queue[0]
            segment = self._segments[number]
            if segment.due == due and bool(segment.failures) == (queue is self._retries):
                return due
            heapq.heappop(queue)
        return math.inf

    @property
    def _probing(self) -> bool:
        """A request to a segment that failed is in flight."""
        return any(self._segments[asked.request.segment].failures for asked in self._in_flight.values())

    def _is_asked(self, segment: _Segment) -> bool:
        return any(asked.request.segment == segment.number for asked in self._in_flight.values())


def covers(marks: tuple[Mark | None, ...], token: Mapping[int, int]) -> bool:
    """Whether marks have reached the positions of segments that a token names.

    Raises:
        TaxohashError: the token names a segment that there is not.
    """
    for segment in token:
        if not 0 <= segment < len(marks):
            raise TaxohashError(
                f"the token names segment {segment} of {len(marks)}: it was given by another collection, write again"
            )
    reached = {segment: marks[segment] for segment in token}
    return all(mark is not None and mark.position >= token[segment] for segment, mark in reached.items())


def _fits(since: int, columns: Columns, until: int) -> bool:
    """Whether an answer to Changes leads on."""
    return since < until <= columns.position or since == until == columns.position


def _see(segment: _Segment, columns: Columns) -> None:
    mark = Mark(columns.position, columns.stamp)
    if mark not in segment.seen:
        segment.seen += (mark,)


def _note_unread(segment: _Segment, since: float) -> None:
    segment.unread_since = since if segment.unread_since is None else min(segment.unread_since, since)


def _note_hint(segment: _Segment) -> None:
    if segment.hinted < math.inf:  # without a position it may tell of what is read already
        _note_unread(segment, segment.hinted_at)


def _unread_entries(segment: _Segment) -> int:
    known = [mark.position for mark in segment.seen]
    if segment.hinted < math.inf:
        known.append(int(segment.hinted))
    return max(0, max(known, default=0) - (segment.mark.position if segment.mark else 0))
