"""The connection: calls of functions and a few plain commands, each sent to the server that holds its slot."""

import itertools
import math
import os
import random
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from services.codestore import functions
from services.codestore.connection.address import Address, parse_address
from services.codestore.connection.deadline import Deadline
from services.codestore.connection.durability import APPLIED, Durability
from services.codestore.connection.errors import (
    TRANSIENT,
    ErrorReply,
    LinkError,
    SilenceError,
    StoreUnavailableError,
    TryAgainError,
    explained,
)
from services.codestore.connection.resp import Part
from services.codestore.connection.session import Session
from services.codestore.connection.subscription import Subscription
from services.codestore.connection.topology import Topology, slot_of
from taxohash.errors import TaxohashError

_WINDOW = 32  # calls sent at once; bounds what a bulk write holds in memory
_LONGEST_PAUSE = 0.1  # seconds between repeats
_MAP_SECONDS = 1.0  # for one server to tell the slots, so that a frozen one does not hold up the others


@dataclass(frozen=True)
class Call:
    """A server-side function, the keys it uses, which are of one slot, and its arguments."""

    function: str
    keys: tuple[str, ...]
    args: Sequence[str | bytes | int] = ()
    read_only: bool = False

    @property
    def command(self) -> tuple[Part, ...]:
        """As it is sent."""
        verb = "FCALL_RO" if self.read_only else "FCALL"
        return (verb, functions.full_name(self.function), len(self.keys), *self.keys, *self.args)

    @property
    def script(self) -> tuple[Part, ...]:
        """The same without a function library, for a server that has no memory to load one."""
        return (
            "EVAL",
            functions.script(self.function),
            len(self.keys),
            *self.keys,
            self.function,
            *self.args,
        )


class Connection:
    """Calls functions; loads them where a server does not have them. Safe to share between threads, and after a fork.

    What passes is waited for: a slot that is moved, a server that is restarted, fails over or loads its data. So a call may
    be made twice when its answer is lost; each that writes carries (writer, seq), by which its function knows it again.

    Args:
        url: redis://, rediss:// or unix://; a cluster is recognised. Known options: see `parse_address`.
        timeout: seconds that a call may take, and of `call_all` each 32 of its calls.

    Attributes:
        url: the address without user and password.

    Raises (every method):
        TryAgainError: what passes did not pass in time.
        StoreUnavailableError: no answer, wrong password, read-only, full memory or disk.
        StaleError: the collection is not the one that was opened.
        TaxohashError: no such address; the function refused the input.
    """

    def __init__(self, url: str, timeout: float) -> None:
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < 1e6:
            raise TaxohashError(f"the timeout of the store is {timeout!r}: give seconds, above 0")
        self._seed = parse_address(url)
        self.url = str(self._seed)
        self._timeout = timeout
        self._topology = Topology(self._seed)
        self._is_cluster = self._map_is_old = False
        self._closed = False
        self._idle: defaultdict[Address, deque[Session]] = defaultdict(deque)
        deadline = Deadline(timeout)
        try:
            with self._lent(self._seed, deadline) as session:
                self._is_cluster = session.server.get(b"mode") == b"cluster"
            if self._is_cluster:
                self._read_map(deadline)
        except LinkError as error:
            raise self._given_up(error) from None
        except TaxohashError:
            self.close()
            raise

    def close(self) -> None:
        """Close what is open; calls after that are refused."""
        self._closed = True
        for address in list(self._idle):
            self._forget(address)

    def ping(self) -> None:
        """Return when a server answers."""
        self.command("PING")

    def call(self, call: Call) -> Any:
        """The reply to one call."""
        return self.call_all([call])[0]

    def call_all(self, calls: Sequence[Call], durability: Durability = APPLIED) -> list[Any]:
        """Replies in order.

        Each call is atomic, all together are not, nor are they made in order. After all have been made, the first refusal is
        raised; those after the 32 in which a server fails are left out.

        Raises:
            NotDurableError: what was written is not as durable as asked in time; later calls are not made.
        """
        replies: list[Any] = []
        for first in range(0, len(calls), _WINDOW):
            errands = [_Errand.of(call) for call in calls[first : first + _WINDOW]]
            self._run(errands, durability)
            replies += [errand.reply for errand in errands]
        for reply in replies:
            self._require(reply)
        return replies

    def command(self, *parts: Part, key: str | None = None) -> Any:
        """The reply to a plain command, which must do no harm when it is made twice; by the server that holds the key."""
        errand = _Errand(parts, slot_of(key or ""))
        self._run([errand], APPLIED)
        self._require(errand.reply)
        return errand.reply

    def on_primaries(self, *parts: Part) -> list[tuple[str, Any]]:
        """Address and reply of each server that holds slots, tried once; an error reply is an ErrorReply."""
        deadline = Deadline(self._timeout)
        replies = []
        for address in self._topology.primaries:
            try:
                with self._lent(address, deadline) as session:
                    replies.append((str(address), session.ask(*parts, deadline=deadline)))
            except LinkError as error:
                self._lost(address, (), error)
                raise self._given_up(error) from None
        return replies

    def certificate_expires(self) -> float:
        """Unix time at which the first of the certificates expires by which the servers are known, infinite where none is checked;
        each server is greeted anew, as one may have another by now."""
        if not self._seed.tls:
            return math.inf
        deadline, times = Deadline(self._timeout), list[float]()
        for address in self._topology.primaries:
            try:
                session = Session(address, deadline)
            except LinkError as error:
                raise self._given_up(error) from None
            times.append(session.certificate_expires)
            session.close()
        return min(times)

    def subscribe(self, channel: str) -> Subscription:
        """The messages of a channel from now on: hints, as those of a time without connection are lost."""
        return Subscription(self._topology.shuffled, channel)

    # -- one window of calls ---------------------------------------------------------------------------

    def _run(self, errands: Sequence["_Errand"], durability: Durability) -> None:
        """Bring every errand to its reply."""
        deadline = Deadline(self._timeout)
        waiting = list(errands)
        for pause in _pauses():
            if self._map_is_old and self._is_cluster:
                self._read_map(deadline)
            self._round(waiting, durability, deadline)
            waiting = [errand for errand in waiting if not errand.done]
            if not waiting:
                return
            if deadline.left <= pause:
                raise self._given_up(waiting[0].trouble)
            time.sleep(pause)

    def _round(self, errands: Iterable["_Errand"], durability: Durability, deadline: Deadline) -> None:
        """Send each errand to its server once, all before the first reply is read."""
        groups: defaultdict[Address, list[_Errand]] = defaultdict(list)
        for errand in errands:
            groups[errand.asked or self._topology.holder(errand.slot)].append(errand)
        with ExitStack() as stack:
            visits = []
            for address, group in groups.items():
                try:
                    session = stack.enter_context(self._lent(address, deadline))
                    visits.append(_Visit(session, group, durability, deadline))
                except LinkError as error:
                    self._lost(address, group, error)
            for step in (
                _Visit.check,
                _Visit.send,
                _Visit.receive,
                _Visit.ask_durable,
                _Visit.receive_durable,
                self._settle,
            ):
                visits = [visit for visit in visits if self._goes_on(visit, step)]

    def _goes_on(self, visit: "_Visit", step: Callable[["_Visit"], None]) -> bool:
        try:
            step(visit)
        except LinkError as error:
            self._lost(visit.session.address, visit.errands, error)
            return False
        return True

    def _lost(self, address: Address, errands: Iterable["_Errand"], error: LinkError) -> None:
        """A server is lost: its errands wait for another try, perhaps at another."""
        self._forget(address)
        self._map_is_old = True
        for errand in errands:
            errand.asked = None
            if errand.trouble is None or not isinstance(error, SilenceError):  # silence tells least
                errand.trouble = error

    def _settle(self, visit: "_Visit") -> None:
        """Take the replies of a visit that are final; of the others, do what helps."""
        unloaded = []
        for errand, reply in zip(visit.errands, visit.replies, strict=True):
            errand.asked = None
            if not isinstance(reply, ErrorReply):
                errand.settle(reply)
            elif reply.code in ("MOVED", "ASK"):
                target = self._topology.redirect(reply, visit.session.address)
                errand.trouble, errand.asked = reply, target if reply.code == "ASK" else None
            elif reply.code in TRANSIENT:
                self._map_is_old |= reply.code == "CLUSTERDOWN"
                errand.trouble = reply
            elif reply.code == "READONLY" and not visit.session.fresh:
                # The name of the server may lead to another primary by now.
                self._forget(visit.session.address)
                visit.session.close()
                errand.trouble = reply
            elif reply.function_is_missing:
                errand.trouble = reply
                unloaded.append(errand)
            else:
                errand.settle(reply)
        if unloaded:
            self._load_functions(visit, unloaded)

    def _load_functions(self, visit: "_Visit", errands: Iterable["_Errand"]) -> None:
        load = ("FUNCTION", "LOAD", "REPLACE", functions.SOURCE)
        reply = visit.session.ask(*load, deadline=visit.deadline)
        if not isinstance(reply, ErrorReply) or reply.code in TRANSIENT:
            return
        for errand in errands:
            if reply.code == "OOM" and errand.call and errand.call.function in functions.FREEING:
                errand.command = errand.call.script
            elif reply.code == "NOPERM":
                errand.settle(
                    ErrorReply("UNLOADED the functions are not loaded, and this account may not load them")
                )
            else:
                errand.settle(reply)

    def _require(self, reply: Any) -> None:
        if isinstance(reply, ErrorReply):
            raise explained(reply, self.url)

    def _given_up(self, trouble: "LinkError | ErrorReply | None") -> TaxohashError:
        if isinstance(trouble, ErrorReply):
            return explained(trouble, self.url)
        text = f"code store {self.url} does not answer as it should ({trouble})"
        if self._is_cluster:
            return TryAgainError(f"{text}: the cluster may fail over, try again")
        assert trouble is not None
        return StoreUnavailableError(f"{text}: {trouble.remedy}")

    # -- servers ---------------------------------------------------------------------------------------

    def _read_map(self, deadline: Deadline) -> None:
        """Learn from any server of the cluster which holds what; if none answers, the old map stays."""
        for address in self._topology.shuffled():
            within = deadline.within(_MAP_SECONDS)
            try:
                with self._lent(address, within) as session:
                    reply = session.ask("CLUSTER", "SLOTS", deadline=within)
                    if not isinstance(reply, ErrorReply):
                        self._topology.learn(reply, address)
                        self._map_is_old = False
                        return
            except LinkError:
                self._forget(address)

    @contextmanager
    def _lent(self, address: Address, deadline: Deadline) -> Iterator[Session]:
        """A session with the server, kept for the next who needs one if all it was asked is answered."""
        if self._closed:
            raise TaxohashError(f"the connection to code store {self.url} is closed: open another")
        session = self._idle_session(address) or Session(address, deadline)
        try:
            yield session
        finally:
            if session.idle:
                self._keep(session)
            else:
                session.close()

    def _keep(self, session: Session) -> None:
        session.fresh = False
        self._idle[session.address].append(session)
        if self._closed:
            self._forget(session.address)

    def _idle_session(self, address: Address) -> Session | None:
        sessions = self._idle[address]
        while sessions:
            try:
                session = sessions.pop()
            except IndexError:  # another thread took it
                return None
            if session.pid == os.getpid():
                return session
            session.close()  # closes this process's end only: the parent goes on with its own
        return None

    def _forget(self, address: Address) -> None:
        """Close what is idle: where one session broke, the others have too."""
        sessions = self._idle[address]
        while sessions:
            try:
                sessions.pop().close()
            except IndexError:
                return


@dataclass(eq=False)
class _Errand:
    """A command on its way.

    Attributes:
        call: that it came of.
        asked: server to try once, as the one that holds the slot said (ASK).
        trouble: why there is no reply yet.
    """

    command: tuple[Part, ...]
    slot: int
    call: Call | None = None
    asked: Address | None = None
    trouble: "LinkError | ErrorReply | None" = None
    reply: Any = None
    done: bool = False

    @classmethod
    def of(cls, call: Call) -> "_Errand":
        return cls(call.command, slot_of(call.keys[0]), call)

    @property
    def writes(self) -> bool:
        return self.call is not None and not self.call.read_only

    def settle(self, reply: Any) -> None:
        self.reply, self.done = reply, True


@dataclass(eq=False)
class _Visit:
    """What one round asks one server. A LinkError in a step means that none of it counts."""

    session: Session
    errands: list[_Errand]
    durability: Durability
    deadline: Deadline
    asked_durable: bool = False
    replies: list[Any] = field(default_factory=list)

    def check(self) -> None:
        """Refuse what the server cannot make durable, before anything is written."""
        if any(errand.writes for errand in self.errands):
            self.durability.check(self.session, self.deadline)

    def send(self) -> None:
        commands: list[tuple[Part, ...]] = []
        for errand in self.errands:
            if errand.asked:
                commands.append(("ASKING",))  # holds for the next command on the same socket
            commands.append(errand.command)
        self.session.send(commands, self.deadline)

    def receive(self) -> None:
        for errand in self.errands:
            asking = self.session.receive(self.deadline) if errand.asked else None
            reply = self.session.receive(self.deadline)
            self.replies.append(asking if isinstance(asking, ErrorReply) else reply)

    def ask_durable(self) -> None:
        written = any(
            errand.writes and not isinstance(reply, ErrorReply)
            for errand, reply in zip(self.errands, self.replies, strict=True)
        )
        question = self.durability.question(self.session, self.deadline) if written else None
        if question:
            self.session.send([question], self.deadline)
            self.asked_durable = True

    def receive_durable(self) -> None:
        if not self.asked_durable:
            return
        try:
            reply = self.session.receive(self.deadline)
        except SilenceError as silence:
            reply = ErrorReply(str(silence))
        self.durability.require(reply, self.session)


def _pauses() -> Iterator[float]:
    """Seconds before each repeat: none before the first, then longer and longer, and no two clients in step."""
    yield 0.0
    for number in itertools.count():
        yield min(_LONGEST_PAUSE, 0.001 * 2 ** min(number, 10)) * random.uniform(0.5, 1.0)
