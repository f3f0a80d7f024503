"""The keys in force: those of a file, looked at again every second."""

import hashlib
import hmac
import logging
import math
import threading
import time
from pathlib import Path
from typing import NamedTuple

from services import metrics
from services.retrieval.access import keys
from services.retrieval.access.keys import Key
from services.retrieval.access.rate import Bucket
from taxohash.errors import TaxohashError

LOG = logging.getLogger("taxohash.access")
_LOOK_SECONDS = 1.0


class Known(NamedTuple):
    """A key as requests are held against it.

    Attributes:
        digest: SHA-256 of the secret.
        until: Unix time at which it expires; infinity: never.
        bucket: what bounds its rate, where something does.
    """

    key: Key
    digest: bytes
    until: float
    bucket: Bucket | None


class Ring:
    """The keys of a file.

    A thread of its own reads the file, never the event loop; by content, so that it does not matter how another came
    there (Kubernetes swaps a link). Where it is broken or gone, the last good keys stay in force.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            TaxohashError: it cannot be read, or holds something else: never open.
        """
        self._path = path
        self._content = keys.content_of(path)
        self._known: tuple[Known, ...] = ()
        self._complaint = ""
        self._stopped = threading.Event()
        self._take(keys.parse(self._content, path))
        self._tell()

    def start(self) -> None:
        """Look at the file from now on, until `stop`."""
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, args=(self._stopped,), name="api-keys", daemon=True).start()

    def stop(self) -> None:
        """Look no more. A look under way, at a disk that does not answer, is not waited for."""
        self._stopped.set()

    def find(self, secret: bytes) -> Known | None:
        """The key with this secret, expired or not.

        All are compared, each in constant time: how long it takes says neither which one it is nor how much of it is
        right. What has not the form of a secret is not hashed, so that nonsense is cheap.
        """
        if not keys.is_secret(secret):
            return None
        digest, found = hashlib.sha256(secret).digest(), None
        for known in self._known:
            if hmac.compare_digest(known.digest, digest):
                found = known
        return found

    def look(self) -> None:
        """Read the file again, and take over what changed."""
        try:
            content = keys.content_of(self._path)
            if content != self._content or self._complaint:
                self._take(keys.parse(content, self._path))
                self._content = content
                LOG.info("%s API keys are in force", len(self._known))
            complaint = ""
        except TaxohashError as error:
            complaint = str(error)
            if complaint != self._complaint:
                LOG.error("%s; the keys read before stay in force", error)
        self._complaint = complaint
        self._tell()

    def _take(self, found: tuple[Key, ...]) -> None:
        # A key that is as it was keeps its bucket: a rotation fills none.
        buckets = {known.key: known.bucket for known in self._known}
        self._known = tuple(
            Known(
                key,
                bytes.fromhex(key.digest),
                keys.unix(key.expires),
                buckets.get(key) or (Bucket(key.rate, key.burst) if key.rate else None),
            )
            for key in found
        )

    def _tell(self) -> None:
        now = time.time()
        metrics.KEYS_FILE_FAILING.set(bool(self._complaint))
        metrics.KEYS_EXPIRE.set(
            min((known.until for known in self._known if known.until > now), default=math.inf)
        )

    def _watch(self, stopped: threading.Event) -> None:
        while not stopped.wait(_LOOK_SECONDS):
            try:
                self.look()
            except Exception:  # whatever it was, the next look may do better
                LOG.exception("the file of API keys was not looked at")
