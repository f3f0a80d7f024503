"""A code store that need not be there yet."""

import threading
from collections.abc import Callable

from services.codestore import CodeStore
from taxohash.errors import TaxohashError


class LateStore:
    """A code store that is connected when it is first needed, and again until it answers. Safe to share between threads."""

    def __init__(self, connect: Callable[[], CodeStore]) -> None:
        self._connect = connect
        self._store: CodeStore | None = None
        self._lock = threading.Lock()
        self._closed = False

    def __call__(self) -> CodeStore:
        """The store.

        Raises:
            StoreUnavailableError: it does not answer.
            TaxohashError: its address is none.
        """
        if self._store is None:
            with self._lock:
                if self._closed:
                    raise TaxohashError("the code store is closed: the service is ending")
                if self._store is None:
                    self._store = self._connect()
        return self._store

    def close(self) -> None:
        """Close it; nothing connects again."""
        with self._lock:
            self._closed = True
            if self._store is not None:
                self._store.close()
