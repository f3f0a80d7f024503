"""The process that keeps the user's own store: `python -m services.codestore.own.keeper FOLDER SECONDS`.

It ends when nobody has used the store for so many seconds, and says one line of JSON on standard output when the store is there, or
why it cannot be: {"damage": [...]}, {"kept": true} where another keeper was first, or {"error": "..."}.
"""

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from services.codestore.embedded import EmbeddedServer
from services.codestore.own.place import Lock, StorePlace
from taxohash.errors import TaxohashError

_LOOK_SECONDS = 0.25
_OTHERS_SECONDS = 0.5


def main(arguments: list[str]) -> int:
    if os.fork():  # nobody's child, so that nobody who started it has to wait for its end
        os._exit(0)
    signal.signal(signal.SIGTERM, _end)
    place, idle_seconds = StorePlace(Path(arguments[0])), float(arguments[1])
    keeper = place.lock("keeper")
    if not _taken(keeper):
        _say({"kept": True})
        return 0
    try:
        # Written to disk before each answer: neither a kill nor a power cut takes back what somebody was told.
        with EmbeddedServer(place.data, fsync="always", socket=place.socket) as server:
            _say({"damage": server.damage})
            _wait(place, server, idle_seconds)
    except TaxohashError as error:
        _say({"error": str(error)})
        return 2
    return 0


def _taken(keeper: Lock) -> bool:
    """Whether we are the keeper, until this process ends; others who only look have the lock for a moment."""
    deadline = time.monotonic() + _OTHERS_SECONDS
    while not (taken := keeper.take(shared=False)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return taken


def _wait(place: StorePlace, server: EmbeddedServer, idle_seconds: float) -> None:
    """Return when nobody has used the store for so long, and nobody can begin to until this process has ended."""
    users = place.lock("users")
    used = time.monotonic()
    while server.running:
        time.sleep(_LOOK_SECONDS)
        if not users.take(shared=False):
            used = time.monotonic()
        elif time.monotonic() > used + idle_seconds:
            return
        else:
            users.give_back()


def _say(told: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):  # who asked is gone
        print(json.dumps(told), flush=True)
    # Closed for him who reads, and nothing that is said later is in the way.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
