"""The protocol in life: threads that ask the store and keep a replica level with it.

One thread drives the protocol and alone writes the replica. Requests are made by a small pool, so that a node that does not
answer holds up nobody else and pages are read while others are put in place; another thread listens to hints. All of them
speak to the first through one inbox. What is there at once is taken at once: writes that came meanwhile are one request a
segment and one change of the replica, so that a follower that is slow has larger bites, not a longer queue.
"""

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol, Self

from services.codestore.connection import StaleError
from services.codestore.follower.errors import GoneError, TrimmedError, described
from services.codestore.follower.protocol import (
    Answer,
    ChangesRead,
    Failed,
    FollowerProtocol,
    Gone,
    Lag,
    Mark,
    Pace,
    Page,
    PageRead,
    Request,
    ResetSegment,
    Stale,
    State,
    Step,
    Trimmed,
    covers,
)
from services.codestore.follower.source import Source, Subscription
from services.codestore.records import Columns, Token
from taxohash.errors import TaxohashError

LEASE_SECONDS = 30.0  # a process that died keeps its generation from `gc` for at most so long
_LISTEN_SECONDS = 0.25  # bounds how long stopping waits for the listener

FollowerState = State | Literal["stopped", "failed"]
"""failed: an error that nobody foresaw, see `Follower.error`; the replica stays as it is."""


class Replica(Protocol):
    """What a follower keeps level with the store."""

    def write(self, columns: Sequence[Columns], reset: Collection[int]) -> None:
        """Take columns in their order, as one change: a search sees all of it or nothing.

        Args:
            reset: segments that are loaded: of these every row that is not named is gone.
        """


@dataclass(frozen=True)
class _Answered:
    number: int
    answer: Answer


@dataclass(frozen=True)
class _Hinted:
    segment: int
    position: int | None


@dataclass(frozen=True)
class _Broke:
    """An error that nobody foresaw."""

    error: Exception


class _Signal(Enum):
    TICK = "time has passed"
    LOOK = "hints were lost"
    STOP = "the follower is to stop"


_Message = _Answered | _Hinted | _Broke | _Signal


class Follower:
    """Follows one generation into a replica, from `start` to `stop`. Safe to share between threads.

    Attributes:
        source: where it reads.
        replica: what it writes.
        error: what went wrong last, in one line, with the state to be told by readiness; "" if nothing did.
    """

    def __init__(
        self,
        source: Source,
        replica: Replica,
        *,
        pace: Pace | None = None,
        lease_seconds: float = LEASE_SECONDS,
        on_visible: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """Prepare to follow.

        Args:
            source: where to read.
            replica: empty; written by this follower only.
            pace: how often is asked, and how much.
            lease_seconds: the generation is kept from being dropped for so long, renewed every third of it.
            on_visible: told how many seconds the oldest write waited, at each change of the replica; for a metric.
        """
        self.source = source
        self.replica = replica
        self.error = ""
        pace = pace or Pace()
        self._protocol = FollowerProtocol(source.segments, pace)
        self._marks: tuple[Mark | None, ...] = self._protocol.marks  # what the replica holds
        self._lease_seconds = lease_seconds
        self._lease_due = time.monotonic()
        self._on_visible = on_visible
        self._inbox: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._state: FollowerState = "stopped"
        self._changed = threading.Condition()  # of marks or state
        self._writing = threading.Lock()  # held while the replica is written
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(pace.requests + 1, thread_name_prefix="follower-request")
        self._driver = threading.Thread(target=self._drive, name="follower")
        self._listener = threading.Thread(target=self._listen, name="follower-hints")

    # Life

    def start(self) -> None:
        """Begin to load. A follower is started once."""
        self._state = "loading"
        self._driver.start()
        self._listener.start()

    def stop(self) -> None:
        """End all threads, wait for the requests under way, and give the lease back. The replica stays as it is."""
        self._stopping.set()
        self._inbox.put(_Signal.STOP)
        if self._driver.ident is not None:  # it was started
            self._driver.join()
            self._listener.join()
        self._pool.shutdown(cancel_futures=True)
        if self._state in ("loading", "following"):  # where nobody answers it runs out by itself
            with suppress(TaxohashError):
                self.source.release()
        self._show("stopped")

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    # What is known

    @property
    def state(self) -> FollowerState:
        """What it does, see State and FollowerState."""
        return self._state

    @property
    def ready(self) -> bool:
        """The replica was loaded once. It stays so, whatever happens to the store."""
        return None not in self._marks

    @property
    def alive(self) -> bool:
        """It still follows, or will when the store answers again."""
        return self._state in ("loading", "following", "cut")

    @property
    def token(self) -> Token:
        """What the replica holds."""
        positions = {segment: mark.position for segment, mark in enumerate(self._marks) if mark is not None}
        return Token(self.source.incarnation[:8], positions)

    def lag(self) -> Lag:
        """How far the replica is behind the store, as far as is known."""
        return self._protocol.lag(time.monotonic())

    def covers(self, token: Token) -> bool:
        """Whether the replica has reached every position that a token names.

        Raises:
            TaxohashError: the token is of another collection, or of one that was wiped.
        """
        if token.incarnation != self.source.incarnation[:8]:
            raise TaxohashError(
                f"the token {str(token)[:60]!r} is not of this collection, or was given before it was wiped: write again"
            )
        return covers(self._marks, token.positions)

    def wait_ready(self, seconds: float) -> bool:
        """Whether the replica is loaded, waiting so long for it while there is hope."""
        return self._wait(lambda: self.ready, seconds)

    def wait(self, token: Token, seconds: float) -> bool:
        """Whether the replica has reached a token, waiting so long for it while there is hope. The store is asked at once.

        Raises:
            TaxohashError: see `covers`.
        """
        if self.covers(token):
            return True
        for segment, position in token.positions.items():
            self._inbox.put(_Hinted(segment, position))
        return self._wait(lambda: self.covers(token), seconds)

    def look(self, segments: Iterable[int]) -> None:
        """Have the store asked for what was written in these segments, at once."""
        for segment in segments:
            self._inbox.put(_Hinted(segment, None))

    @contextmanager
    def held(self) -> Iterator[Token]:
        """Hold the replica as it is, and tell what it holds; searches go on."""
        with self._writing:
            yield self.token

    def _wait(self, holds: Callable[[], bool], seconds: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: holds() or not self.alive, seconds)
        return holds()

    def _show(self, state: FollowerState) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()

    # The thread that drives

    def _drive(self) -> None:
        try:
            self._take([self._protocol.start(time.monotonic())])
            while not self._stopping.is_set() and self._protocol.state not in ("gone", "stale"):
                self._renew_lease()
                self._take([self._input(message) for message in self._messages()])
        except Exception as error:  # told by `state` and `error`
            self.error = described(error)
            self._show("failed")
        self._stopping.set()

    def _messages(self) -> list[_Message]:
        """All that have come; the time, where none comes until there is something to do."""
        until = min(self._protocol.wake_at(), self._lease_due)
        messages: list[_Message] = []
        with suppress(queue.Empty):
            messages.append(self._inbox.get(timeout=max(0.0, until - time.monotonic())))
            while True:
                messages.append(self._inbox.get_nowait())
        return messages or [_Signal.TICK]

    def _input(self, message: _Message) -> Step:
        now = time.monotonic()
        match message:
            case _Answered(number, answer):
                return self._protocol.answered(number, answer, now)
            case _Hinted(segment, position):
                return self._protocol.hint(segment, position, now)
            case _Broke(error):
                raise error
            case _Signal.LOOK:
                return self._protocol.look(now)
            case _Signal():
                return self._protocol.tick(now)

    def _take(self, steps: Sequence[Step]) -> None:
        """Make the requests of steps, and meanwhile put their effects in place."""
        for step in steps:
            for request in step.requests:
                self._pool.submit(self._ask, request)
        # A segment is in one step of them: its next request is made above, after all of these were answered.
        effects = [effect for step in steps for effect in step.effects]
        if effects:
            reset = {effect.segment for effect in effects if isinstance(effect, ResetSegment)}
            columns = [effect.columns for effect in effects if not isinstance(effect, ResetSegment)]
            with self._writing:
                self.replica.write(columns, reset)
                self._marks = self._protocol.marks
        if self._protocol.state == "cut":
            self.error = self._protocol.error
        if effects or self._state != self._protocol.state:
            self._show(self._protocol.state)
        for step in steps:
            if step.waited is not None:
                self._on_visible(step.waited)

    def _renew_lease(self) -> None:
        if time.monotonic() >= self._lease_due:
            self._lease_due = time.monotonic() + self._lease_seconds / 3
            self._pool.submit(self._lease)

    # Threads that call the store

    def _ask(self, request: Request) -> None:
        try:
            self._inbox.put(_Answered(request.number, self._answer(request)))
        except Exception as error:
            self._inbox.put(_Broke(error))

    def _answer(self, request: Request) -> Answer:
        try:
            if isinstance(request, Page):
                return PageRead(self.source.page(request.segment, request.first_block, request.blocks))
            read = self.source.changes(request.segment, request.since, request.seen)
            return ChangesRead(read.columns, read.until, read.age)
        except TrimmedError:
            return Trimmed()
        except GoneError:
            return Gone()
        except StaleError:
            return Stale()
        except TaxohashError as error:
            return Failed(str(error))

    def _lease(self) -> None:
        try:
            self.source.lease(self._lease_seconds)
        except TaxohashError as error:  # whether the generation is still there is found out by reading it
            self.error = str(error)
        except Exception as error:
            self._inbox.put(_Broke(error))

    def _listen(self) -> None:
        try:
            subscription = self.source.subscribe()
            try:
                self._hear(subscription)
            finally:
                subscription.close()
        except Exception as error:
            self._inbox.put(_Broke(error))

    def _hear(self, subscription: Subscription) -> None:
        cut = False
        while not self._stopping.is_set():
            for hint in {_hint(message) for message in subscription.wait(_LISTEN_SECONDS)}:
                if hint is not None:
                    self._inbox.put(hint)
            if cut and not subscription.trouble:
                self._inbox.put(_Signal.LOOK)
            cut = bool(subscription.trouble)
            if cut:
                self.error = f"writes are seen a second late, without hints: {subscription.trouble}"


def _hint(message: bytes) -> _Hinted | None:
    """What a message says; a message of another kind says nothing."""
    segment, _, position = message.partition(b" ")
    try:
        return _Hinted(int(segment), int(position) if position else None)
    except ValueError:
        return None
