"""Publishing what awaited approval: `taxohash pipeline approve`, as an act of its own."""

import os
import subprocess
from collections.abc import Sequence

from services.processes import end_with_parent
from services.web.refused import RefusedError
from taxohash.runtime.terminal import printable, shortened

_SECONDS = 600.0
_MOST_CHARACTERS = 300


class Approver:
    """Approves generations of one collection."""

    def __init__(self, collection: str, command: Sequence[str]) -> None:
        """Prepare.

        Args:
            command: that makes runs; with `approve` for its last word it publishes.
        """
        self._collection = collection
        self._command = (*command[:-1], "approve")

    def approve(self, generation: str, who: str, why: str, instead_of: str | None) -> None:
        """Publish a generation. It may be done twice, and is published once.

        Args:
            instead_of: generation that it was compared with, which must still be the published one; None: whatever is.

        Raises:
            RefusedError: 409, it cannot be published, in the command's words; 504, it takes too long.
        """
        words = [*self._command, "--collection", self._collection, f"--who={who}", f"--why={why}"]
        words += [] if instead_of is None else [f"--instead-of={instead_of}"]
        try:
            done = subprocess.run(
                [*words, "--", generation], env=os.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=_SECONDS, check=False, preexec_fn=end_with_parent,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise RefusedError(
                504, "time", "publishing takes too long: see the log of the code store"
            ) from None
        except OSError as error:
            raise RefusedError(500, "server", f"publishing cannot be started ({error.strerror})") from None
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
            raise RefusedError(
                409, "approval", f"not published: {shortened(printable(said), _MOST_CHARACTERS)}"
            )
