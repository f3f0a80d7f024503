"""What the steps of a run leave for its end: facts by their names, each a file of its own, below WORK/records/RUN.

begun.json, data.json, champion.json, judgement.json, generation.json, comparison.json, ended.json    by steps that no cache answers for
outcome.json                                                                                          by the exit handler
"""

from pathlib import Path
from typing import Any

from services.codestore.keys import check_name
from taxohash.runtime.atomic import read_json, write_json

OUTCOME = "outcome"


class Record:
    """The facts of one run."""

    def __init__(self, work: str | Path, run: str) -> None:
        """Nothing is written yet.

        Raises:
            TaxohashError: the name cannot be a folder's.
        """
        self.folder = Path(work) / "records" / run_name(run)

    def note(self, name: str, **facts: Any) -> None:
        """Keep facts under a name; those that were noted under it before, by an attempt that was interrupted, are replaced."""
        write_json(self.folder / f"{name}.json", facts)

    def noted(self, name: str) -> dict[str, Any]:
        """What was noted under a name, empty where nothing was."""
        file = self.folder / f"{name}.json"
        found: dict[str, Any] = read_json(file, "run the pipeline again") if file.is_file() else {}
        return found


def run_name(text: str) -> str:
    """The name of a run, which is part of a path.

    Raises:
        TaxohashError: it cannot be.
    """
    return check_name("run", text)
