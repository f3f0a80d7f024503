"""A code store of plain lists, a replica of plain dicts, and a bad network between them, all from one seed.

What is checked after every step of the protocol: the replica's segment is exactly the server's at the position that
the protocol names, so nothing is missing, phantom or doubled, and what `covers` says is true. What is checked when
all has become quiet: the replica is the server's newest state.
"""

import random
import types
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.codestore.follower import protocol as real

BLOCK = 3
Rows = tuple[str | None, ...]


class BrokenError(AssertionError):
    """An invariant does not hold."""


def module_with(*changes: tuple[str, str]) -> types.ModuleType:
    """The protocol's module with small blocks, and with pieces of its source replaced."""
    source = Path(str(real.__file__)).read_text()
    for old, new in changes:
        assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in the protocol"
        source = source.replace(old, new)
    module = types.ModuleType("protocol_under_test")
    exec(compile(source, "protocol_under_test", "exec"), module.__dict__)
    module.BLOCK = BLOCK  # type: ignore[attr-defined]
    return module


@dataclass(frozen=True)
class ModelColumns:
    """Rows of a segment as they were when they were read."""

    segment: int
    position: int
    stamp: int
    total: int
    rows: dict[int, str | None]


@dataclass
class ModelSegment:
    """Rows of items (`id=version`) or None, the entries that are kept, and all that ever was."""

    number: int
    rows: list[str | None] = field(default_factory=list)
    position: int = 0
    stamp: int = 0
    entries: dict[int, tuple[int, set[int]]] = field(default_factory=dict)
    history: dict[tuple[int, int], Rows] = field(default_factory=lambda: {(0, 0): ()})

    def wrote(self, changed: set[int], stamp: int) -> None:
        self.position, self.stamp = self.position + 1, stamp
        self.entries[self.position] = (stamp, changed)
        self.history[self.position, stamp] = tuple(self.rows)

    def columns(self, rows: Iterable[int]) -> ModelColumns:
        known = {row: self.rows[row] for row in rows if row < len(self.rows)}
        return ModelColumns(self.number, self.position, self.stamp, len(self.rows), known)


class ModelServer:
    """The segments of a collection, written at random."""

    def __init__(self, segments: int, chance: random.Random) -> None:
        self.chance = chance
        self.segments = [ModelSegment(number) for number in range(segments)]
        self.saved: dict[int, ModelSegment] = {}
        self.time = 0
        self.ended: str | None = None

    def rows(self) -> list[dict[int, str]]:
        """All items, by segment and row."""
        return [{row: item for row, item in enumerate(s.rows) if item} for s in self.segments]

    def write(self) -> tuple[int, int]:
        """One write at random: its segment and position."""
        chance, self.time = self.chance, self.time + 1
        number = chance.randrange(len(self.segments))
        segment = self.segments[number]
        alive = [row for row, item in enumerate(segment.rows) if item is not None]
        kind = chance.random()
        if kind < 0.45 or not alive:
            changed = self._insert(segment, chance.choice((1, 1, 1, 2, 7)))
        elif kind < 0.60:
            changed = set(chance.sample(alive, min(len(alive), chance.choice((1, 2, 5)))))
            for row in changed:
                segment.rows[row] = f"{str(segment.rows[row]).split('=')[0]}={self.time}"
        elif kind < 0.85:
            changed = set(chance.sample(alive, min(len(alive), chance.choice((1, 2, 5)))))
            for row in changed:
                segment.rows[row] = None
        else:
            changed = self._compact(segment)
        segment.wrote(changed, self.time)
        return number, segment.position

    def _insert(self, segment: ModelSegment, count: int) -> set[int]:
        """New items, and some that were there before, in the lowest free rows."""
        changed: set[int] = set()
        number = segment.number
        ids = {str(item).split("=")[0] for item in segment.rows if item is not None}
        for _ in range(count):
            name = f"{number}.{self.chance.randrange(30)}"
            if name in ids:
                continue
            ids.add(name)
            row = segment.rows.index(None) if None in segment.rows else len(segment.rows)
            segment.rows[row : row + 1] = [f"{name}={self.time}"]
            changed.add(row)
        return changed

    def _compact(self, segment: ModelSegment) -> set[int]:
        """Move the last items down; rows at the end are gone without being named."""
        changed: set[int] = set()
        for _ in range(self.chance.choice((1, 3))):
            while segment.rows and segment.rows[-1] is None:
                segment.rows.pop()
            if None not in segment.rows:
                break
            free, last = segment.rows.index(None), len(segment.rows) - 1
            segment.rows[free], segment.rows[last] = segment.rows[last], None
            changed |= {free, last}
        while segment.rows and segment.rows[-1] is None:
            segment.rows.pop()
        return changed

    def trim(self) -> None:
        """Forget the older entries of a segment."""
        segment = self.chance.choice(self.segments)
        kept = self.chance.choice((1, 1, 2, 4))
        for position in sorted(segment.entries)[:-kept]:
            del segment.entries[position]

    def save(self) -> None:
        """What a replica has of a segment."""
        number = self.chance.randrange(len(self.segments))
        of = self.segments[number]
        self.saved[number] = ModelSegment(
            number, list(of.rows), of.position, of.stamp, dict(of.entries), of.history
        )

    def fail_over(self) -> None:
        """A replica is promoted: the writes after what it had are lost."""
        for number in list(self.saved):
            self.segments[number] = self.saved.pop(number)

    def answer(self, request: Any, module: Any) -> Any:
        """What the server says now."""
        if self.ended:
            return module.Gone() if self.ended == "gone" else module.Stale()
        segment = self.segments[request.segment]
        if isinstance(request, module.Page):
            first = request.first_block * module.BLOCK
            return module.PageRead(segment.columns(range(first, first + request.blocks * module.BLOCK)))
        unread = range(request.since + 1, segment.position + 1)
        known = {position: stamp for position, (stamp, _) in segment.entries.items()} | {0: 0}
        if any(known.get(mark.position) != mark.stamp for mark in request.seen) or not known.keys() >= set(
            unread
        ):
            return module.Trimmed()
        age = 0.001 * (1 + self.time - known[unread[0]]) if unread else 0.0
        unread = unread[: self.chance.choice((1, 2, 100, 100))]
        changed = set().union(*(segment.entries[position][1] for position in unread))
        until = unread[-1] if unread else request.since
        return module.ChangesRead(segment.columns(changed), until, age)


@dataclass
class ModelReplica:
    """Rows by segment and number."""

    segments: list[dict[int, str]]

    def apply(self, effects: Sequence[Any]) -> None:
        """Take the effects of a step."""
        for effect in effects:
            match type(effect).__name__:
                case "ResetSegment":
                    self.segments[effect.segment].clear()
                case "LoadPage":
                    self._put(effect.columns)
                case "ApplyColumns":
                    self._put(effect.columns)
                    self._cut(effect.columns)

    def write(self, columns: Sequence[Any], reset: Collection[int]) -> None:
        """Take columns, as a follower gives them."""
        for segment in reset:
            self.segments[segment].clear()
        for part in columns:
            self._put(part)
            self._cut(part)

    def _put(self, columns: ModelColumns) -> None:
        rows = self.segments[columns.segment]
        for row, item in columns.rows.items():
            rows.pop(row, None)
            if item is not None:
                rows[row] = item

    def _cut(self, columns: ModelColumns) -> None:
        rows = self.segments[columns.segment]
        for row in [row for row in rows if row >= columns.total]:
            del rows[row]


class Network:
    """Drives one follower of one server through a bad network."""

    def __init__(self, seed: int, module: Any) -> None:
        self.chance = random.Random(seed)
        self.module = module
        segments = self.chance.choice((1, 2, 4))
        self.server = ModelServer(segments, self.chance)
        pace = module.Pace(requests=self.chance.choice((1, 2, 4)), blocks=self.chance.choice((1, 2)))
        self.pace = pace
        self.protocol = module.FollowerProtocol(segments, pace, random.Random(seed))
        self.replica = ModelReplica([{} for _ in range(segments)])
        self.now = self.chance.uniform(-5, 5)
        self.sent: list[Any] = []  # on the way to the server
        self.answers: list[tuple[int, Any]] = []  # on the way back
        self.hints: list[tuple[int, int | None]] = []
        self.tokens: list[tuple[int, int]] = []
        self.seen: Counter[str] = Counter()

    def run(self, steps: int) -> Counter[str]:
        """Disorder for some steps, then quiet. Returns what happened, counted.

        Raises:
            BrokenError: an invariant does not hold.
        """
        for _ in range(self.chance.randrange(60)):
            self._write()
        self._take(self.protocol.start(self.now))
        for _ in range(steps):
            self._disorder()
        self._quiet()
        return self.seen

    def _disorder(self) -> None:
        chance = self.chance
        kind = chance.random()
        if kind < 0.25:
            self._write()
        elif kind < 0.50:
            self._serve()
        elif kind < 0.75:
            self._deliver()
        elif kind < 0.80 and self.hints:
            segment, position = chance.choice(self.hints)  # late, twice, or never
            self._take(self.protocol.hint(segment, chance.choice((position, None)), self.now))
        elif kind < 0.82:
            false = chance.randrange(-1, 6), chance.choice((None, -1, 10**9))
            self._take(self.protocol.hint(*false, self.now))
        elif kind < 0.92:
            self._pass(chance.choice((0.0, 0.01, 0.3, 1.1, 5.0)))
        elif kind < 0.94:
            self.server.trim()
        elif kind < 0.96:
            self._cut()
        elif kind < 0.98:
            self.server.save()
        elif kind < 0.985:
            self.server.fail_over()
        elif kind < 0.9865:
            self.server.ended = self.server.ended or chance.choice(("gone", "stale"))

    def _write(self) -> None:
        token = self.server.write()
        self.tokens.append(token)
        self.hints.append(token)

    def _serve(self) -> None:
        """The server answers any request, perhaps once more later, or the answer is lost on its way."""
        if self.sent:
            request = self.chance.choice(self.sent)
            if self.chance.random() < 0.9:
                self.sent.remove(request)
            lost = self.chance.random() < 0.1
            answer = self.module.Failed("cut") if lost else self.server.answer(request, self.module)
            self.answers.append((request.number, answer))

    def _deliver(self) -> None:
        """Any answer arrives, perhaps once more later."""
        if self.answers:
            number, answer = self.chance.choice(self.answers)
            if self.chance.random() < 0.8:
                self.answers.remove((number, answer))
            self._answered(number, answer)

    def _cut(self) -> None:
        """Whatever is on its way is given up; some of it comes late."""
        for request in self.sent:
            self._answered(request.number, self.module.Failed("cut"))
        self.sent = [request for request in self.sent if self.chance.random() < 0.3]

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        self._take(self.protocol.tick(self.now))

    def _answered(self, number: int, answer: Any) -> None:
        self.seen[type(answer).__name__] += 1
        self._take(self.protocol.answered(number, answer, self.now))

    def _take(self, step: Any) -> None:
        self.sent += step.requests
        for effect in step.effects:
            self.seen[type(effect).__name__] += 1
        self.replica.apply(step.effects)
        self._check()

    def _quiet(self) -> None:
        """No writes, no faults, no hints: all is looked at within a second, and a pause after failures."""
        for _ in range(2000):
            sent, self.sent = self.sent, []
            self.answers += [(request.number, self.server.answer(request, self.module)) for request in sent]
            answers, self.answers = self.answers, []
            for number, answer in answers:
                self._answered(number, answer)
            if not self.sent and self._is_level():
                return
            wake = self.protocol.wake_at()
            if not self.sent:
                if wake > self.now + max(self.pace.look, self.pace.last_retry):
                    raise BrokenError(f"it sleeps until {wake} at {self.now}")
                self._pass(max(0.0, wake - self.now))
        raise BrokenError(f"it does not come level: {self.protocol.marks}, {self.protocol.error}")

    def _is_level(self) -> bool:
        if self.server.ended:
            return bool(self.protocol.state == self.server.ended)
        server = self.server.rows()
        marks = [(mark.position, mark.stamp) for mark in self.protocol.marks if mark]
        return (
            self.protocol.state == "following"
            and server == self.replica.segments
            and marks == [(s.position, s.stamp) for s in self.server.segments]
            and self.protocol.lag(self.now).entries == 0
        )

    def _check(self) -> None:
        in_flight = [asked.request for asked in self.protocol._in_flight.values()]
        looks = Counter(request.segment for request in in_flight if isinstance(request, self.module.Changes))
        if len(in_flight) > self.pace.requests or max(looks.values(), default=0) > 1:
            raise BrokenError(f"too many requests in flight: {in_flight}")
        for number, (mark, rows) in enumerate(zip(self.protocol.marks, self.replica.segments, strict=True)):
            if mark is None:
                if rows:
                    raise BrokenError(f"segment {number} shows rows before it is loaded")
                continue
            then = self.server.segments[number].history[mark.position, mark.stamp]
            if rows != {row: item for row, item in enumerate(then) if item is not None}:
                raise BrokenError(f"segment {number} at {mark} is {rows}, the server's was {then}")
        for segment, position in self.tokens[-5:]:
            mark = self.protocol.marks[segment]
            if self.protocol.covers({segment: position}) != (mark is not None and mark.position >= position):
                raise BrokenError(f"covers({segment}: {position}) at {mark}")
