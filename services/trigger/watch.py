"""Which data version a git repository names: that of its data.dvc, at the tip of a branch."""

import logging
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from services import metrics
from services.trigger.settings import Source
from taxohash.errors import TaxohashError
from taxohash.runtime.git import unattended, without_password
from taxohash.runtime.terminal import printable, shortened
from taxohash.runtime.tracked import named_md5

LOG = logging.getLogger("taxohash.trigger")
_GIT_SECONDS = 120.0
_MOST_CHARACTERS = 300


class Watch:
    """Looks at a repository every so many seconds, and when it is told to."""

    def __init__(
        self, source: Source, folder: Path, collection: str, arrived: Callable[[str, str], None]
    ) -> None:
        """Prepare.

        Args:
            folder: for a bare repository of our own, into which one commit is fetched.
            arrived: told the md5 and the commit at each look.
        """
        self._source, self._folder, self._arrived = source, folder, arrived
        self._failing = metrics.TRIGGER_WATCH_FAILING.labels(collection)
        self._soon, self._stopped = threading.Event(), threading.Event()
        self._trouble = ""

    def start(self) -> None:
        """Look from now on."""
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def stop(self) -> None:
        """Look no more. A look under way is not waited for."""
        self._stopped.set()
        self._soon.set()

    def look_soon(self) -> None:
        """Look now."""
        self._soon.set()

    def look(self) -> None:
        """Look once.

        Raises:
            TaxohashError: the repository, the branch or the file cannot be had, or names no data; or the store is away.
        """
        source = self._source
        if not (self._folder / "HEAD").exists():
            self._git("init", "--quiet", "--bare", str(self._folder), inside=False)
        self._git("fetch", "--quiet", "--no-tags", "--depth=1", "--force", "--end-of-options", source.repository, source.branch or "HEAD")  # fmt: skip
        commit = self._git("rev-parse", "--verify", "FETCH_HEAD^{commit}").strip()
        content = self._git("cat-file", "blob", f"{commit}:{source.tracked}")
        self._arrived(named_md5(content, source.tracked), commit)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            self._soon.clear()
            try:
                self.look()
                self._told("")
            except TaxohashError as error:
                self._told(str(error))
            except Exception:
                LOG.exception("the repository was not looked at")
            self._soon.wait(self._source.poll)

    def _told(self, trouble: str) -> None:
        self._failing.set(bool(trouble))
        if trouble and trouble != self._trouble:
            LOG.error("%s", trouble)
        self._trouble = trouble

    def _git(self, *words: str, inside: bool = True) -> str:
        where = ["--git-dir", str(self._folder)] if inside else []
        try:
            done = subprocess.run(
                ["git", *where, *words], env=unattended(os.environ), stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True,
                errors="replace", timeout=_GIT_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise self._refusal(f"git does not answer within {_GIT_SECONDS:g} seconds") from None
        except OSError as error:
            raise self._refusal(f"git cannot be started, {error.strerror}") from None
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["git said nothing"]
            raise self._refusal(shortened(lines[0], _MOST_CHARACTERS))
        return done.stdout

    def _refusal(self, reason: str) -> TaxohashError:
        where, why = map(without_password, (self._source.repository, reason))
        return TaxohashError(
            f"{self._source.tracked} of {printable(where)} cannot be had ({printable(why)}): "
            "see the settings of the trigger in docs/api.md"
        )
