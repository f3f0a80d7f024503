"""What was answered wrongly, for whoever wants to repeat it."""

import hashlib
import sys
from collections import Counter
from pathlib import Path

_OF_A_KIND = 5


class Kept:
    """Counts of what is wrong; and, where a folder is given, some requests of each kind in it."""

    def __init__(self, folder: Path | None) -> None:
        self.faults: Counter[str] = Counter()
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, what: str, fault: str, data: bytes) -> None:
        """Count a fault, and keep the first of its kind."""
        self.faults[fault] += 1
        if self._folder is not None and self.faults[fault] <= _OF_A_KIND:
            file = self._folder / hashlib.sha256(data).hexdigest()[:16]
            file.write_bytes(data)
            print(f"{what}: {fault}: {file}", file=sys.stderr)
