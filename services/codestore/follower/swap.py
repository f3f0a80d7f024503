"""From one published generation to the next: loaded beside the one that is served, and swapped when it knows as much.

A generation takes over once it has applied the position of its publishing and all that the one before it holds. So what a
token could wait for before the swap is there after it, too: an item that was written with a code of the older generation is
"being encoded" in the newer one, and never silently gone. Going back is the same swap. Whatever cannot be loaded is told and
tried again later, and what is served stays.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress
from typing import Generic, Literal, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from services.codestore.follower import follower
from services.codestore.follower.errors import described
from services.codestore.follower.follower import Follower
from services.codestore.follower.source import Source
from services.codestore.records import GenerationRef, Pointer, Token
from taxohash.errors import TaxohashError

_LOOK_SECONDS = 0.5  # between looks at the pointer
_LEVEL_SECONDS = 1.0  # for which what is served is held still, so that the next one becomes level with it
_FIRST_RETRY_SECONDS = 1.0  # until a generation that could not be loaded is tried again; doubled each time
_LAST_RETRY_SECONDS = 60.0


@dataclass(frozen=True)
class Standing:
    """Of an item that was written.

    Attributes:
        state: cannot be encoded until it is put again with another picture; absent after a deletion only; not yet applied where
            the replica is behind the write.
        reason: why it cannot be encoded, in one line.
    """

    state: Literal["searchable", "being encoded", "cannot be encoded", "absent", "not yet applied"]
    reason: str = ""


class Replica(follower.Replica, Protocol):
    """A replica that knows what becomes of its items."""

    def searchable(self, ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """bool[n]: which are members that can be found."""

    def lacking(self, ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """bool[n]: which are members whose code is not there."""


R = TypeVar("R", bound=Replica)
E = TypeVar("E")


@dataclass(frozen=True)
class Serving(Generic[R, E]):
    """One generation, whole. A search takes it once and holds it to its end.

    Attributes:
        replica: its items, kept level while it is the one that is served.
        engine: what else belongs to it: a hasher, a calibration.
    """

    generation: str
    replica: R
    engine: E


class Store(Protocol):
    """What is followed.

    Raises (every method):
        TaxohashError: nobody can tell now.
    """

    def pointer(self) -> Pointer:
        """What is published now."""

    def source(self, pointer: Pointer) -> Source:
        """Where the published generation is read."""

    def unencodable(self, generation: str, ids: Sequence[str]) -> Mapping[str, str]:
        """Of which items no backfill can bring the code, and why."""


@dataclass(eq=False)
class _Loaded(Generic[R, E]):
    serving: Serving[R, E]
    follower: Follower
    incarnation: str
    warm: bool = False

    def is_of(self, pointer: Pointer) -> bool:
        return _key(pointer) == (self.incarnation, self.serving.generation)


class Swap(Generic[R, E]):
    """Serves what is published, from `start` to `stop`. Safe to share between threads.

    Attributes:
        error: why what is published is not served, in one line; "" where it is, or is being loaded.
    """

    def __init__(
        self,
        store: Store,
        open_generation: Callable[[GenerationRef], Serving[R, E]],
        warm: Callable[[Serving[R, E]], None] = lambda serving: None,
        follow: Callable[[Source, R], Follower] = Follower,
        look_seconds: float = _LOOK_SECONDS,
        ended: Callable[[float | None], None] = lambda seconds: None,
    ) -> None:
        """Prepare to serve.

        Args:
            store: what is followed.
            open_generation: gives a generation with an empty replica. TaxohashError: it cannot be served, now.
            warm: called with the loaded generation before it is served. TaxohashError: as above.
            follow: makes the follower of a replica.
            look_seconds: between looks at what is published.
            ended: told of each change of what is served when it ends: the seconds from when it was known to be wanted, or
                None where it failed.
        """
        self.error = ""
        self._store = store
        self._open = open_generation
        self._warm = warm
        self._follow = follow
        self._look_seconds = look_seconds
        self._ended = ended
        self._served: _Loaded[R, E] | None = None
        self._next: _Loaded[R, E] | None = None
        self._failures = 0  # to load what is published
        self._retry_at = -math.inf
        self._wanted: Pointer | None = None
        self._wanted_since = math.inf  # inf: it is what is served
        self._changed = threading.Condition()  # of what is served
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="swap")

    # Life

    def start(self) -> None:
        """Begin to load what is published. It is started once."""
        self._thread.start()

    def stop(self) -> None:
        """End all threads. What is served stays as it is."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        self._drop_next()
        if self._served:
            self._served.follower.stop()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    # What is known

    @property
    def serving(self) -> Serving[R, E] | None:
        """What a search takes; None until the first generation is loaded."""
        served = self._served
        return served.serving if served else None

    @property
    def follower(self) -> Follower | None:
        """Of what is served: its state, error and lag."""
        served = self._served
        return served.follower if served else None

    @property
    def current(self) -> tuple[Serving[R, E], Follower] | None:
        """What a search takes, and what keeps that level."""
        served = self._served
        return (served.serving, served.follower) if served else None

    @property
    def wanted(self) -> str | None:
        """The generation that is to be served, as far as is known."""
        ref = self._wanted.generation if self._wanted else None
        return ref.id if ref else None

    @property
    def loading(self) -> str | None:
        """The generation that is loaded beside the one that is served."""
        loaded = self._next
        return loaded.serving.generation if loaded else None

    def wait_ready(self, seconds: float) -> bool:
        """Whether a generation is served, waiting so long for it."""
        return self._served is not None or self._is_replaced(None, seconds)

    def wait(self, token: Token, seconds: float) -> bool:
        """Whether what is served has reached a token, waiting so long for it, over a swap too.

        Raises:
            TaxohashError: see Follower.covers.
        """
        deadline = time.monotonic() + seconds
        while True:
            served = self._served
            reached = served and served.follower.wait(token, max(0.0, deadline - time.monotonic()))
            if (
                reached and served is self._served
            ):  # a follower that was replaced may be ahead of the next one
                return True
            if not self._is_replaced(served, deadline - time.monotonic()):
                return False

    def answer(self, token: Token, ids: Sequence[str], seconds: float = 0.0) -> dict[str, Standing]:
        """What has become of items that a write with this token wrote, waiting so long until it is applied.

        One that lacks its code is being encoded where nobody can tell otherwise now.

        Raises:
            TaxohashError: see Follower.covers.
        """
        self.wait(token, seconds)
        served = self._served
        if served is None or not served.follower.covers(token):
            return dict.fromkeys(ids, Standing("not yet applied"))
        with served.follower.held():  # both answers are of one moment
            searchable = served.serving.replica.searchable(ids)
            lacking = served.serving.replica.lacking(ids)
        standings = dict.fromkeys(ids, Standing("absent"))
        standings |= {item_id: Standing("searchable") for item_id in compress(ids, searchable)}
        return standings | self._encoding(served.serving.generation, list(compress(ids, lacking)))

    def _encoding(self, generation: str, lacking: Sequence[str]) -> dict[str, Standing]:
        reasons: Mapping[str, str] = {}
        with suppress(TaxohashError):
            reasons = self._store.unencodable(generation, lacking) if lacking else {}
        return {
            item_id: Standing("cannot be encoded", reasons[item_id])
            if item_id in reasons
            else Standing("being encoded")
            for item_id in lacking
        }

    def _is_replaced(self, served: _Loaded[R, E] | None, seconds: float) -> bool:
        """Whether something else is served, waiting so long for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._served is not served or self._stopping.is_set(), seconds)
        return self._served is not served

    # The thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = self._look_seconds
            try:
                pointer = self._store.pointer()
            except TaxohashError as error:
                self.error = str(error)
            except Exception as error:
                self.error = described(error)
            else:
                pause = self._follow_pointer(pointer)
            self._stopping.wait(pause)

    def _follow_pointer(self, pointer: Pointer) -> float:
        """One step towards serving what is published. Returns seconds until the next."""
        if self._wanted is None or _key(pointer) != _key(self._wanted):
            self._failures, self._retry_at, self._wanted_since = 0, -math.inf, math.inf
        self._wanted = pointer
        try:
            return self._step(pointer)
        except TaxohashError as error:
            self._failed(str(error))
        except Exception as error:
            self._failed(described(error))
        return self._look_seconds

    def _step(self, pointer: Pointer) -> float:
        if self._next and not self._next.is_of(pointer):
            self._drop_next()
        if pointer.generation is None:
            self.error = "nothing is published: publish a generation"
        elif self._served and self._served.is_of(pointer) and self._served.follower.alive:
            self._failures, self.error, self._wanted_since = 0, "", math.inf
        elif self._next is None:
            self._wanted_since = min(self._wanted_since, time.monotonic())
            if time.monotonic() >= self._retry_at:
                self._begin(pointer, pointer.generation)
        else:
            return self._advance(self._next, pointer)
        return self._look_seconds

    def _begin(self, pointer: Pointer, generation: GenerationRef) -> None:
        serving = self._open(generation)
        follower = self._follow(self._store.source(pointer), serving.replica)
        self._next = _Loaded(serving, follower, pointer.incarnation)
        follower.start()

    def _advance(self, loaded: _Loaded[R, E], pointer: Pointer) -> float:
        follower = loaded.follower
        loaded_once = follower.wait_ready(self._look_seconds)
        if not follower.alive:
            raise TaxohashError(f"following it ended, {follower.state}: {follower.error}")
        if not loaded_once:
            return 0.0  # time has passed already
        published = Token(pointer.incarnation[:8], dict(enumerate(pointer.positions)))
        if not follower.wait(published, self._look_seconds):
            self.error = (
                f"generation {loaded.serving.generation} is loaded and waits for the writes of its publishing"
            )
            return 0.0
        if not loaded.warm:
            self._warm(loaded.serving)
            loaded.warm = True
            return 0.0  # it took its time: what is published now?
        return 0.0 if self._swap(loaded) else self._look_seconds

    def _swap(self, loaded: _Loaded[R, E]) -> bool:
        """Serve what is loaded, if it becomes level with what is served."""
        before = self._served
        if before is None:
            self._serve(loaded)
            return True
        with before.follower.held() as token:
            comparable = before.follower.alive and before.incarnation == loaded.incarnation
            if comparable and not loaded.follower.wait(token, _LEVEL_SECONDS):
                return False
            self._serve(loaded)
        before.follower.stop()
        return True

    def _serve(self, loaded: _Loaded[R, E]) -> None:
        self._next = None
        self.error = ""
        with self._changed:
            self._served = loaded
            self._changed.notify_all()
        self._ended(time.monotonic() - self._wanted_since)

    def _failed(self, reason: str) -> None:
        """What is published cannot be loaded, or nobody knows what is."""
        ref = self._wanted.generation if self._wanted else None
        self.error = f"generation {ref.id} is not loaded: {reason}" if ref else reason
        self._drop_next()
        self._ended(None)
        pause = min(_LAST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2.0 ** min(self._failures, 16))
        self._failures += 1
        self._retry_at = time.monotonic() + pause

    def _drop_next(self) -> None:
        if self._next:
            self._next.follower.stop()
            self._next = None


def _key(pointer: Pointer) -> tuple[str, str | None]:
    return pointer.incarnation, pointer.generation.id if pointer.generation else None
