"""What the code store is like, for the metrics: a thread of its own looks every few seconds, and nobody waits for it."""

import logging
import math
import threading
import time

from services import metrics
from services.codestore import CodeStore
from services.retrieval.late_store import LateStore
from taxohash.errors import TaxohashError

LOG = logging.getLogger("taxohash")
LOOK_SECONDS = 15.0
_CERTIFICATE_LOOKS = 20  # of which one looks at the certificate: that is a connection made for it
_FIGURES = (
    metrics.STORE_ITEMS,
    metrics.STORE_LACKING,
    metrics.STORE_BEHIND,
    metrics.STORE_STREAM,
    metrics.STORE_MEMORY,
    metrics.STORE_MEMORY_MOST,
    metrics.STORE_SAVED,
    metrics.STORE_PERSISTS,
)


class StoreLook:
    """Looks at a collection and its servers. What was last seen stays told while they do not answer, with the time of it."""

    def __init__(self, store: LateStore, collection: str) -> None:
        self._store, self._collection = store, collection
        self._stopped = threading.Event()
        for gauge in _FIGURES:
            gauge.set(math.nan)  # nobody knows yet

    def start(self) -> None:
        """Look from now on, until `stop`."""
        threading.Thread(target=self._keep_looking, name="store-look", daemon=True).start()

    def stop(self) -> None:
        """Look no more. A look under way, at a store that does not answer, is not waited for."""
        self._stopped.set()

    def look(self) -> None:
        """Look once.

        Raises:
            TaxohashError: the store is away, or has no such collection.
        """
        store: CodeStore = self._store()
        servers, collection = store.server_figures(), store.collection_figures(self._collection)
        metrics.STORE_ITEMS.set(collection.items)
        metrics.STORE_LACKING.set(collection.lacking)
        metrics.STORE_BEHIND.set(collection.behind)
        metrics.STORE_STREAM.set(collection.changes)
        metrics.STORE_MEMORY.set(servers.memory)
        metrics.STORE_MEMORY_MOST.set(servers.memory_most)
        metrics.STORE_SAVED.set(servers.saved)
        metrics.STORE_PERSISTS.set(servers.persists)
        metrics.STORE_LOOKED.set(time.time())

    def look_at_certificate(self) -> None:
        """Look once at what the servers show.

        Raises:
            TaxohashError: the store is away, or shows a certificate that is not trusted, so that what was known stays told.
        """
        metrics.CERTIFICATE_EXPIRES.set(self._store().certificate_expires())

    def _keep_looking(self) -> None:
        looks = 0
        while not self._stopped.is_set():
            try:
                self.look()
                if looks % _CERTIFICATE_LOOKS == 0:
                    self.look_at_certificate()
                looks += 1
            except TaxohashError:
                pass  # who follows the store says so
            except Exception:  # whatever it was, the next look may do better
                LOG.exception("the code store was not looked at")
            self._stopped.wait(LOOK_SECONDS)
