"""A code store that need not be there yet."""

import threading
from collections.abc import Callable

from services.codestore import CodeStore
from taxohash.errors import TaxohashError


class LateStore:
    """A code store that is connected when it is first needed, and again until it answers. Safe to share between threads.

    Those who come while one of them tries to connect wait for that, and share what becomes of it.
    """

    def __init__(self, connect: Callable[[], CodeStore]) -> None:
        self._connect = connect
        self._store: CodeStore | None = None
        self._lock = threading.Lock()
        self._failures = 0
        self._failure: TaxohashError | None = None
        self._closed = False

    def __call__(self) -> CodeStore:
        """The store.

        Raises:
            StoreUnavailableError: it does not answer.
            TaxohashError: its address is none.
        """
        if self._store is None:
            known = self._failures
            with self._lock:
                if self._closed:
                    raise TaxohashError("the code store is closed: the service is ending")
                if self._store is None:
                    self._try_once(known)
                    assert self._store
        return self._store

    def close(self) -> None:
        """Close it; nothing connects again. Waits for who is connecting."""
        with self._lock:
            self._closed = True
            if self._store is not None:
                self._store.close()

    def _try_once(self, known: int) -> None:
        if self._failure and self._failures > known:  # while we waited
            raise type(self._failure)(str(self._failure))
        try:
            self._store = self._connect()
        except TaxohashError as error:
            self._failures, self._failure = self._failures + 1, error
            raise
