"""How a program uses the store among the user's data, and the code store that is used where no other is named."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from services import settings
from services.codestore.home import users_data
from services.codestore.own.place import Lock, StorePlace
from services.codestore.store import CodeStore
from taxohash.errors import TaxohashError
from taxohash.runtime.sources import ROOT

IDLE_SECONDS = 5.0  # for which it stays without a user
_START_SECONDS = 90.0  # its data are loaded, and looked at where there is reason to
_LOOK_SECONDS = 1.0
_AGAIN_SECONDS = 30.0  # after a start that failed

logger = logging.getLogger(__name__)


class OwnStore:
    """The code store among the user's data; a context manager, in which it is there.

    All programs of a user share it: the first starts it, it ends some seconds after the last. It is a process of its own, so that
    none of them has to outlive another; where that is killed, it is started again within about a second, at the same address.
    What was acknowledged is on disk.

    Attributes:
        url: address for CodeStore.connect.

    Raises (on entering):
        TaxohashError: no server is installed, its folder cannot be used, or its data are damaged.
    """

    def __init__(self, folder: Path | None = None, *, idle_seconds: float = IDLE_SECONDS) -> None:
        """Prepare to use it.

        Args:
            folder: where it lies; `taxohash/store` among the user's data if left out.
        """
        self._place = StorePlace(folder or users_data() / "store")
        self._idle_seconds = idle_seconds
        self._users: Lock | None = None
        self._left = threading.Event()
        self._watch: threading.Thread | None = None
        self.url = f"unix://{quote(str(self._place.socket))}"

    def __enter__(self) -> Self:
        self._left.clear()
        self._users = self._place.lock("users")
        try:
            self._begin_use(self._users)
            self._bring_up()
        except BaseException:
            self._users.close()
            raise
        self._watch = threading.Thread(target=self._keep_up, name="own store", daemon=True)
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._users
        assert self._watch
        self._left.set()
        self._watch.join()
        self._users.close()

    def _begin_use(self, users: Lock) -> None:
        """From now on no keeper ends for want of users; one that is ending is waited for."""
        self._until(lambda: users.take(shared=True), "is ending, and does not end")

    def _bring_up(self) -> None:
        def there() -> bool:
            if not self._is_kept():
                self._start_keeper()
            return self._answers()

        self._until(there, "does not answer")

    def _keep_up(self) -> None:
        seconds = _LOOK_SECONDS
        while not self._left.wait(seconds):
            seconds = _LOOK_SECONDS
            if not self._is_kept():
                try:
                    self._bring_up()
                except TaxohashError as error:
                    logger.warning("%s", error)
                    seconds = _AGAIN_SECONDS

    def _until(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not done():
            if time.monotonic() > deadline:
                raise TaxohashError(
                    f"the store in {self._place.folder} {what}: end its server, or set TAXOHASH_REDIS_URL to another"
                )
            if self._left.wait(0.05):
                return

    def _is_kept(self) -> bool:
        keeper = self._place.lock("keeper")
        try:
            return not keeper.take(shared=True)
        finally:
            keeper.close()

    def _start_keeper(self) -> None:
        """Start one, and return when its store is there; nothing happens where another was first.

        Raises:
            TaxohashError: there can be no store, in the keeper's words.
        """
        told = self._first_words()
        if error := told.get("error"):
            raise TaxohashError(error)
        for line in told.get("damage", ()):
            logger.warning("the store in %s: %s", self._place.folder, line)

    def _first_words(self) -> dict[str, Any]:
        command = [sys.executable, "-m", "services.codestore.own.keeper", str(self._place.folder)]
        with self._place.log.open("wb") as log:
            starting = subprocess.Popen(
                [*command, str(self._idle_seconds)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # neither Ctrl-C nor the end of a terminal is meant for it
            )
        with starting:  # it ends as soon as its child, the keeper, runs
            assert starting.stdout
            if select([starting.stdout], (), (), _START_SECONDS)[0]:
                with suppress(ValueError):
                    told: dict[str, Any] = json.loads(starting.stdout.readline())
                    return told
            starting.kill()
        raise TaxohashError(f"the store in {self._place.folder} was not started: see {self._place.log}")

    def _answers(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2.0)
            connection.connect(str(self._place.socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"
        return False


@contextmanager
def address(environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """The address of the code store: what TAXOHASH_REDIS_URL names, else of the user's own, which is there while the block lasts.

    Raises:
        TaxohashError: see OwnStore; or no store is named on a pod, where what is kept would be lost with it.
    """
    if url := settings.REDIS_URL.of(environment):
        yield url
        return
    if "KUBERNETES_SERVICE_HOST" in environment:
        raise TaxohashError(
            "TAXOHASH_REDIS_URL is not set: give the address of the code store in the environment, a pod has none of its own"
        )
    with OwnStore(users_data(environment) / "store") as own:
        yield own.url


@contextmanager
def code_store(environment: Mapping[str, str] = os.environ) -> Iterator[CodeStore]:
    """Connected to the store at `address`.

    Raises:
        TaxohashError: as `address`; or nothing answers there.
    """
    with address(environment) as url, CodeStore.connect(url) as store:
        yield store
