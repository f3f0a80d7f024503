"""The trigger's memory in the code store's server: one document a collection, changed by compare-and-set."""

import threading
from collections.abc import Callable

from services.codestore.collection import Server
from services.trigger.records import State
from taxohash.errors import TaxohashError

# KEYS: the hash. version expected, new document -> 1 where it was still that version
SWAP = """
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1] + 1, 'state', ARGV[2])
return 1
"""
_MOST_TRIES = 100


class Memory:
    """The state of one collection; safe to share between threads and processes.

    Raises (every method):
        StoreUnavailableError: the server does not answer.
        TaxohashError: what is kept there was written by another version.
    """

    def __init__(self, server: Server, collection: str) -> None:
        """Know where it is.

        Raises:
            TaxohashError: the server is a part of this process, and ends with it.
        """
        if server.url.startswith("memory:"):
            raise TaxohashError(
                f"{server.url} forgets with the process: name a code store in TAXOHASH_REDIS_URL, or leave it out"
            )
        self._server = server
        self._key = f"taxohash:trigger:{{{collection}}}"
        self._lock = threading.Lock()
        self._known = (-1, State())

    def read(self) -> State:
        """What it is now."""
        return self._read()[1]

    def change(self, step: Callable[[State], State]) -> State:
        """Make a change; the state after it.

        Args:
            step: from what it is to what it becomes; called again where another process was first. Where its answer got lost on the
                way here the step meets its own work: so it changes nothing the second time.
        """
        with self._lock:  # threads of one process need not race
            for _ in range(_MOST_TRIES):
                version, state = self._read()
                changed = step(state)
                if changed == state or self._swap(version, changed):
                    return changed
        raise TaxohashError(f"{self._key} is changed by others all the time: keep one trigger a collection")

    def _read(self) -> tuple[int, State]:
        known = self._known
        found = int(self._server.command("HGET", self._key, "version", key=self._key) or 0)
        if found != known[0]:
            version, text = self._server.command("HMGET", self._key, "version", "state", key=self._key)
            known = (int(version), State.of_json(text.decode())) if version else (0, State())
            self._known = known
        return known

    def _swap(self, version: int, state: State) -> bool:
        swapped = self._server.command("EVAL", SWAP, 1, self._key, version, state.to_json(), key=self._key)
        if swapped:
            self._known = (version + 1, state)
        return bool(swapped)
