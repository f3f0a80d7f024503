"""What both clients have in common: when a call is sent, what its answer means, and when it is sent again. Nothing is sent here.

A call is played as steps: a generator yields what to send and how long to wait, and is given what came of it. The clients do
nothing but that.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from taxohash.client import calls
from taxohash.client.answers import BatchResult, Problem, Refusal, SearchAnswer
from taxohash.client.calls import Call
from taxohash.client.errors import BusyError, MalformedAnswerError, NoAnswerError, RequestRefusedError
from taxohash.client.queries import Query
from taxohash.client.reading import NotAsDescribedError
from taxohash.client.retries import AGAIN, Retries
from taxohash.client.tokens import Tokens, joined
from taxohash.client.uploads import Loaded
from taxohash.errors import TaxohashError

T = TypeVar("T")
R = TypeVar("R")

DEADLINE = 60.0  # seconds of a call, all its tries together
_MALFORMED, _TOO_SLOW, _TOO_LARGE = 400, 408, 413


@dataclass(frozen=True)
class Send:
    """Send this, and give what came within so many seconds."""

    call: Call[Any]
    headers: Mapping[str, str]
    seconds: float

    @property
    def options(self) -> dict[str, Any]:
        """How httpx is told."""
        params = {"params": list(self.call.query)} if self.call.query else {}
        return {"headers": dict(self.headers), "timeout": self.seconds, **params, **self.call.body}


@dataclass(frozen=True)
class Wait:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Received:
    """An answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Failed:
    """No answer came, or only a part of one."""

    reason: str


Outcome = Received | Failed
Steps = Generator[Send | Wait, Outcome | None, T]


class Exchange:
    """A service, and what a client knows of it.

    Attributes:
        url: of the service, without a password.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        deadline: float,
        retries: Retries,
        read_your_writes: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """See Client.

        Raises:
            TaxohashError: no address of a service, a key that cannot be one, or a deadline that is none.
        """
        self.address = _address(url)
        self.url = self.address.removesuffix("/")
        if (address := httpx.URL(self.address)).userinfo:
            self.url = str(address.copy_with(userinfo=b"")).removesuffix("/")
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            raise TaxohashError("the key is no key: give one that `taxohash keys add` made")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        if not 0 < deadline < float("inf"):
            raise TaxohashError(f"deadline is {deadline}: give a number of seconds above 0")
        self._deadline, self._retries, self.clock = deadline, retries, clock
        self.tokens = Tokens()
        self._reads_its_writes = read_your_writes

    def seeing(self, wishes: Mapping[str, Any]) -> dict[str, Any]:
        """Wishes of an answer that must have seen this client's own writes, too."""
        own = self.tokens.newest if self._reads_its_writes else None
        return {**wishes, "token": joined(own, wishes.get("token"))}

    def read(self, call: Call[T]) -> Steps[T]:
        """The steps of a call that changes nothing.

        Raises:
            RequestRefusedError: the service refuses it.
            NoAnswerError: no answer, or none in time.
            MalformedAnswerError: an answer that no such service gives.
        """
        return (yield from self._tries(call, self.clock() + self._deadline))

    def write(self, call: Call[T]) -> Steps[T]:
        """The steps of a write, whose token is remembered."""
        told = yield from self.read(call)
        self.tokens.wrote(getattr(told, "token", None))
        return told

    def search_several(
        self, queries: Sequence[Query], wishes: Mapping[str, Any]
    ) -> Steps[list[SearchAnswer | Refusal]]:
        """The steps of several queries, each with its answer.

        Raises:
            as `read`.
        """

        def asked(some: Sequence[Query]) -> Steps[list[SearchAnswer | Refusal]]:
            return self.read(calls.search_many(some, self.seeing(wishes)))

        def refused(_: Query, error: RequestRefusedError) -> SearchAnswer | Refusal:
            return Refusal(error.status, error.reason, error.sentence)

        return _apart(queries, asked, (_TOO_LARGE,), refused)

    def write_several(self, items: Sequence[Loaded]) -> Steps[list[BatchResult]]:
        """The steps of a batch, each item with its result.

        Raises:
            as `read`; of items that the service cannot take now the results say so.
        """

        def refused(item: Loaded, error: RequestRefusedError) -> BatchResult:
            problem = Problem(f"urn:taxohash:{error.reason}", error.sentence, error.status)
            return BatchResult(item.id, error.status, problem=problem)

        return _apart(items, self._write_several, (_MALFORMED, _TOO_LARGE), refused)

    def _write_several(self, items: Sequence[Loaded]) -> Steps[list[BatchResult]]:
        """Items for which there is no room or no time just now are sent again, under the same name."""
        ends, name = self.clock() + self._deadline, calls.new_name()
        found: dict[str, BatchResult] = {}
        left = list(items)
        for failed in range(1, self._retries.tries + 1):
            batch = yield from self._tries(calls.put_several(left, name), ends)
            self.tokens.wrote(batch.token)
            found |= {result.id: result for result in batch.results}
            left = [item for item in left if found[item.id].status in AGAIN]
            pause = self._retries.pause(failed)
            if not left or failed == self._retries.tries or self.clock() + pause >= ends:
                break
            yield Wait(pause)
        return [found[item.id] for item in items]

    def _tries(self, call: Call[T], ends: float) -> Steps[T]:
        headers = dict(self._headers)
        if call.name is not None:
            headers["Idempotency-Key"] = call.name
        failed = 0
        error: TaxohashError = NoAnswerError(
            f"no answer from {self.url}: there was no time left for {call.what}"
        )
        while (left := ends - self.clock()) > 0:
            outcome = yield Send(call, headers, left)
            assert outcome is not None
            failed += 1
            if isinstance(outcome, Received):
                if 200 <= outcome.status < 300:
                    return self._told(call, outcome)
                refused = self._refused(call, outcome)
                if outcome.status not in AGAIN:
                    raise refused
                error, asked = refused, outcome.headers.get("retry-after", "")
            else:
                remedy = "start the service, or correct its address"
                error, asked = NoAnswerError(f"no answer from {self.url} ({outcome.reason}): {remedy}"), ""
            pause = self._retries.pause(failed, asked)
            if not call.may_repeat or failed >= self._retries.tries or self.clock() + pause >= ends:
                break
            yield Wait(pause)
        raise error

    def _told(self, call: Call[T], received: Received) -> T:
        try:
            return call.read(received.body)
        except NotAsDescribedError:
            raise self._strange(received) from None

    def _refused(self, call: Call[Any], received: Received) -> TaxohashError:
        try:
            problem, request_id = calls.problem_of(received.body)
        except NotAsDescribedError:
            # A proxy's 429 and 503 have words of their own, and the same may go well later.
            if received.status in AGAIN:
                return BusyError(
                    f"{self.url} cannot take {call.what} now ({received.status}): try again later",
                    received.status, "unavailable", received.headers.get("x-request-id", ""),
                )  # fmt: skip
            return self._strange(received)
        kind = BusyError if received.status in AGAIN else RequestRefusedError
        return kind(
            f"{self.url} refused {call.what} ({received.status}): {problem.detail}",
            received.status, problem.refusal.reason, request_id, problem.detail,
        )  # fmt: skip

    def _strange(self, received: Received) -> MalformedAnswerError:
        return MalformedAnswerError(
            f"{self.url} answered {received.status}, but not as a taxohash service does: correct its address"
        )


def _apart(
    things: Sequence[T],
    done: Callable[[Sequence[T]], Steps[list[R]]],
    statuses: Sequence[int],
    refused: Callable[[T, RequestRefusedError], R],
) -> Steps[list[R]]:
    """What comes of each of several things of one request. Where it is refused for what one of them may be, or does not arrive
    in time, halves of it are sent.

    Args:
        done: the steps of some of them.
        statuses: with which it is refused for one of them.
        refused: what comes of one that is refused alone.

    Raises:
        RequestRefusedError: for all of them, or one alone does not arrive in time.
    """
    try:
        return (yield from done(things))
    except RequestRefusedError as error:
        if len(things) == 1 and error.status in statuses:
            return [refused(things[0], error)]
        if len(things) == 1 or error.status not in (*statuses, _TOO_SLOW):
            raise
    middle = len(things) // 2
    first = yield from _apart(things[:middle], done, statuses, refused)
    return first + (yield from _apart(things[middle:], done, statuses, refused))


def failure(error: httpx.HTTPError) -> Failed:
    """What httpx says of a request that got no answer."""
    return Failed(str(error) or type(error).__name__)


def unsendable(call: Call[Any], error: UnicodeEncodeError) -> TaxohashError:
    """What is said of a call that has a text which no request can hold."""
    character, wanted = error.object[error.start], error.encoding.upper()
    return TaxohashError(f"{call.what} has {character!r} in a text that has to be {wanted}: give another")


LATE = Failed("the answer took too long")


def _address(url: str) -> str:
    try:
        parsed = httpx.URL(url)
        if parsed.scheme in ("http", "https") and parsed.host and (parsed.port or 80) < 65_536:
            return str(parsed.copy_with(query=None, fragment=None))
    except (httpx.InvalidURL, ValueError, TypeError):
        pass
    raise TaxohashError(f"{url!r} is no address of a service: give one such as http://127.0.0.1:3000")
