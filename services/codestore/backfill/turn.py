"""The right to backfill something alone: a lease that is renewed while the block lasts, with a token that each write carries.

A runner that was stopped and goes on after another has begun finds its writes refused by the server: a segment takes the
numbers of one writer only upwards, and those of the later runner are higher.
"""

import hashlib
import os
import secrets
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from services.codestore.connection import FencedError, StoreUnavailableError
from services.codestore.store import CodeStore
from services.codestore.turns import FOLLOWING, Lease
from services.codestore.writers import WriteId
from taxohash.errors import TaxohashError
from taxohash.runtime.terminal import printable

LEASE_SECONDS = 6.0  # after which what a killed runner held is free
_RENEWALS = 3  # in that time


class TakenError(TaxohashError):
    """Somebody else holds it.

    Attributes:
        lease: theirs.
    """

    def __init__(self, name: str, lease: Lease) -> None:
        super().__init__(f"{_what(name)} by {lease.runner}")
        self.lease = lease


class Turn:
    """A generation, or FOLLOWING, held by this runner alone; a context manager.

    Raises (on entering):
        TakenError: another holds it.
        StoreUnavailableError: the store does not answer.
    """

    def __init__(
        self, store: CodeStore, collection: str, name: str, runner: str, seconds: float = LEASE_SECONDS
    ) -> None:
        """Prepare to hold it.

        Args:
            runner: a name that no other has, see `runner_name`.
            seconds: for which it is held without being renewed.
        """
        self.runner = runner
        self.token = 0
        self._store, self._collection, self._name, self._seconds = store, collection, name, seconds
        self._over = threading.Event()
        self._lost = False
        self._writes = 0
        self._thread = threading.Thread(target=self._renew, name=f"turn of {name}", daemon=True)

    def __enter__(self) -> Self:
        lease = self._hold()
        if lease.runner != self.runner:
            raise TakenError(self._name, lease)
        self.token = lease.token
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        with suppress(StoreUnavailableError):  # then it ends by itself
            self._store.let_go(self._collection, self._name, self.runner)

    def check(self) -> None:
        """Make sure that nobody else is known to have had it meanwhile.

        Raises:
            FencedError: somebody has.
        """
        if self._lost:
            raise FencedError(f"{_what(self._name)} by another runner since this one was held up")

    def ask(self) -> None:
        """As `check`, by a question to the store."""
        self._renew_once()
        self.check()

    def next_write(self) -> WriteId:
        """The name of the next write of codes, higher than those of whoever had the turn before."""
        self.check()
        self._writes += 1
        digest = hashlib.sha256(self._name.encode()).hexdigest()[:32]
        return WriteId(f"backfill {digest}", self.token + self._writes)

    def _hold(self) -> Lease:
        return self._store.hold(self._collection, self._name, self.runner, self._seconds)

    def _renew(self) -> None:
        while not self._lost and not self._over.wait(self._seconds / _RENEWALS):
            with suppress(
                StoreUnavailableError
            ):  # it may answer again in time; else the next write is refused
                self._renew_once()

    def _renew_once(self) -> None:
        if self._hold().token != self.token:  # theirs; or ours again, after theirs
            self._lost = True


def _what(name: str) -> str:
    return "the collection is followed" if name == FOLLOWING else f"generation {name} is encoded"


def runner_name() -> str:
    """A name of this process that no other has, and by which it can be found."""
    return f"{printable(socket.gethostname())}:{os.getpid()}:{secrets.token_hex(2)}"
