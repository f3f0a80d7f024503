"""Which searches are begun: as many as there is room for, and none that could not be answered in time."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NoReturn

from starlette.requests import Request
from starlette.types import Receive

from services import metrics
from services.retrieval.settings import Limits
from services.web.refused import RefusedError, busy

_OF_THE_LAST = 0.1  # weight of one search in the mean of what they take
_REFUSALS = 500.0  # a second
_LONGEST_WAIT = 0.25  # seconds, of one who is refused: waiting takes connections
_SMALL_BODY = 65_536  # bytes


class Turn:
    """A search under way.

    Attributes:
        due: what is not begun by then, as `time.monotonic` has it, is not to be begun.
        rounds: of several queries how many are worked on one after the other: in each others have their turns.
    """

    def __init__(self, admission: "Admission", due: float) -> None:
        self.due = due
        self.rounds = 1
        self.aside_seconds = 0.0
        self.holds_place = True
        self._admission = admission

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[None]:
        """Wait for something else than this server's own work: meanwhile the place is another's.

        Raises:
            RefusedError: 429, there is none when it goes on.
        """
        clock = asyncio.get_running_loop().time
        began, self.holds_place = clock(), False
        self._admission._enter(-1)
        try:
            yield
        finally:
            self.aside_seconds += clock() - began
        if refusal := self._admission.refusal():
            raise refusal
        self._admission._enter(1)
        self.holds_place = True


class Admission:
    """Searches under way, from the end of their body to their answer; for one event loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._under_way = 0
        self._seconds_each = 0.0  # between the ends of two searches, while others wait
        self._next_refusal = 0.0
        metrics.SEARCHES.set_function(lambda: self._under_way)
        metrics.SEARCHES_MOST.set(limits.requests)

    def __len__(self) -> int:
        """Number of searches under way."""
        return self._under_way

    async def turn_away(self, request: Request, refusal: RefusedError) -> NoReturn:
        """Refuse a search in its turn, before its body is read. A small one is dropped, so that its connection can be kept.

        One refusal costs little, but who asks again at once, and often, would with all of them take the time of those who are
        searching.

        Raises:
            RefusedError: `refusal`.
        """
        now = asyncio.get_running_loop().time()
        turn = min(max(self._next_refusal, now), now + _LONGEST_WAIT)
        self._next_refusal = turn + 1 / _REFUSALS
        if turn > now:
            await asyncio.sleep(turn - now)
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and len(announced) < 6 and int(announced) <= _SMALL_BODY:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(turn + _LONGEST_WAIT):
                    while (await request.receive()).get("more_body", False):
                        pass
        raise refusal

    def refusal(self) -> RefusedError | None:
        """Why no search can be begun now, if so."""
        if not self._under_way:
            return None
        limits, wait = self._limits, self._seconds_each * (self._under_way + 1)
        if self._under_way >= limits.requests:
            return busy(
                f"{limits.requests} searches are under way, as many as this server takes (TAXOHASH_MAX_REQUESTS):"
                f" try again in a moment",
                max(1, math.ceil(wait)),
            )
        if wait > limits.answer_seconds:
            return busy(
                f"a search would not be answered within {limits.answer_seconds:g} seconds (TAXOHASH_ANSWER_SECONDS):"
                f" try again in a moment",
                math.ceil(wait),
            )
        return None

    def late(self) -> RefusedError:
        """The time of a search is over."""
        seconds = self._limits.answer_seconds
        return RefusedError(
            503,
            "time",
            f"search was not answered within {seconds:g} seconds (TAXOHASH_ANSWER_SECONDS): try again in a moment",
            {"Retry-After": str(math.ceil(seconds / 2))},
        )

    @asynccontextmanager
    async def search(self, receive: Receive) -> AsyncIterator[Turn]:
        """A search; it is cancelled when its time is over, and when its client leaves.

        Args:
            receive: of the request, whose body is read.

        Raises:
            RefusedError: 429, it cannot be begun; 503, its time is over; 400, its client left.
        """
        if refusal := self.refusal():
            raise refusal
        clock = asyncio.get_running_loop().time
        ahead, started = self._under_way, clock()
        self._enter(1)
        is_there, turn = True, Turn(self, started + self._limits.answer_seconds)

        async def leave() -> None:
            nonlocal is_there
            while (await receive())["type"] != "http.disconnect":
                pass
            is_there = False
            timer.reschedule(0.0)

        try:
            async with asyncio.timeout(self._limits.answer_seconds) as timer:
                watch = asyncio.create_task(leave())
                try:
                    yield turn
                finally:
                    watch.cancel()
        except TimeoutError:
            if not is_there:
                raise RefusedError(
                    400, "gone", "request ended before it was answered: send it again"
                ) from None
            raise self.late() from None
        finally:
            if turn.holds_place:
                self._enter(-1)
            each = (clock() - started - turn.aside_seconds) / (ahead + 1) / turn.rounds
            self._seconds_each += _OF_THE_LAST * (each - self._seconds_each)

    def _enter(self, count: int) -> None:
        self._under_way += count
