"""All connections, by what they wait for: how many there may be, who makes way, and whose time is over."""

import resource
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from itertools import islice
from typing import Protocol

from services import metrics

_RESERVE = 256  # descriptors for stores, decoders and files, and for connections that are just being closed


class Stage(Enum):
    """What a connection waits for."""

    HEADERS = auto()  # the head of a request, the first or one that has begun
    IDLE = auto()  # a further request
    BODY = auto()  # the rest of a request that is being answered
    ANSWERING = auto()  # us
    STALLED = auto()  # the client to read its answer
    ENDING = auto()  # the client to have read its last answer


class Connection(Protocol):
    """What is kept of a connection.

    Attributes:
        stage: where it stands; None: nowhere.
        in_transit: something that we have not read yet, or an answer that has not left yet; to close it now would lose it.
    """

    stage: Stage | None

    @property
    def in_transit(self) -> bool: ...

    def late(self) -> None:
        """The time of its stage is over."""

    def abort(self) -> None:
        """Close it at once: another takes its place."""


_LOOKS = 16  # at connections of a stage, for one whose client is waited for: each is a call of the system
# Who makes way, the first of these that has been so for so many seconds: the oldest of its kind. Nobody who is being answered.
_MAKES_WAY = (
    (Stage.ENDING, 1.0),
    (Stage.HEADERS, 1.0),
    (Stage.IDLE, 0.0),
    (Stage.HEADERS, 0.0),
    (Stage.BODY, 2.0),
    (Stage.STALLED, 5.0),
)


class Connections:
    """Every connection stands in the queue of its stage, the one that has been there longest first.

    So whose time is over, and who makes way, is found without looking at the others, and without a timer each.
    """

    def __init__(
        self, most: int, seconds: Mapping[Stage, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nobody is there yet.

        Args:
            most: connections at once.
            seconds: that a connection may be in a stage; for ever where it is left out.
        """
        self.most = most
        self._seconds = seconds
        self._clock = clock
        self._since: dict[Stage, OrderedDict[Connection, float]] = {stage: OrderedDict() for stage in Stage}

    def __len__(self) -> int:
        return sum(map(len, self._since.values()))

    def __iter__(self) -> Iterator[Connection]:
        for queue in self._since.values():
            yield from list(queue)

    def count(self, *stages: Stage) -> int:
        """How many are in these stages."""
        return sum(len(self._since[stage]) for stage in stages)

    def enter(self, connection: Connection, stage: Stage) -> None:
        """Take a connection in, or let it go on to another stage. In the one where it is, its time runs on."""
        if connection.stage is not stage:
            self.leave(connection)
            connection.stage = stage
            self._since[stage][connection] = self._clock()

    def again(self, connection: Connection) -> None:
        """Let the time of a connection in its stage begin anew."""
        if (stage := connection.stage) is not None:
            self.leave(connection)
            self.enter(connection, stage)

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        if connection.stage is not None:
            del self._since[connection.stage][connection]
            connection.stage = None

    def make_room(self) -> bool:
        """Make sure that there is a place, if need be by ending a connection; False: all are being answered."""
        return len(self) < self.most or self.end_one()

    def end_one(self) -> bool:
        """End the connection that makes way first, if there is one: the client of which has been waited for the longest."""
        now = self._clock()
        for stage, least in _MAKES_WAY:
            oldest = islice(_while_before(self._since[stage], now - least), _LOOKS)
            connection = next((each for each in oldest if not each.in_transit), None)
            if connection is not None:
                metrics.CONNECTIONS_REPLACED.labels(stage.name.lower()).inc()
                self.leave(connection)
                connection.abort()
                return True
        return False

    def end_late(self) -> None:
        """Tell those whose time is over."""
        now = self._clock()
        for stage, seconds in self._seconds.items():
            queue = self._since[stage]
            for connection in [*_while_before(queue, now - seconds)]:
                connection.late()

    def measure(self) -> None:
        """Tell the metrics how many there are."""
        for stage, queue in self._since.items():
            metrics.CONNECTIONS.labels(stage.name.lower()).set(len(queue))


def _while_before(queue: "OrderedDict[Connection, float]", then: float) -> Iterator[Connection]:
    for connection, since in queue.items():
        if since > then:
            return
        yield connection


def bound(wanted: int) -> int:
    """How many connections there may be: those wanted, or what the limit on open files leaves, which is raised if it can be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else max(65_536, 2 * wanted)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # some systems have a lower limit of their own
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(1, min(wanted, most - min(_RESERVE, most // 2)))
