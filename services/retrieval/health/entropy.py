"""How evenly the codes of the items that are served use their bits."""

import time
from collections.abc import Callable

from taxohash.codes import Codes, unpack
from taxohash.drift.statistics import entropy

ITEMS = 65_536  # that are looked at, drawn by chance from more; a bit's share is known to 0.002 then
SECONDS = 300.0  # between two looks


class Entropy:
    """Of one generation, for one thread; the value may be read by any.

    Attributes:
        value: mean entropy of a bit, in bits; None before there was any item.
    """

    def __init__(self, bits: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.value: float | None = None
        self._bits, self._clock = bits, clock
        self._changes = -1
        self._due = -float("inf")

    def look(self, changes: int, some_codes: Callable[[int], Codes]) -> None:
        """Look at the codes, where there were changes and the last look was a while ago.

        Args:
            changes: made to the items until now.
            some_codes: gives those of so many items, or of all.
        """
        if changes == self._changes or self._clock() < self._due:
            return
        self._changes, self._due = changes, self._clock() + SECONDS
        codes = some_codes(ITEMS)
        self.value = float(entropy(unpack(codes, self._bits).mean(axis=0))) if len(codes) else None
