"""When a request is sent again: full jitter, and what the service says of when to come back."""

import random
from collections.abc import Callable
from dataclasses import dataclass

AGAIN = (429, 503)  # statuses after which the same request may go well


@dataclass(frozen=True)
class Retries:
    """How often, and after what pauses.

    Attributes:
        tries: of one request, the first among them.
        first: seconds below which the first pause is drawn, evenly; each pause after it may be twice as long.
        longest: seconds of a pause, whatever the service asks for.
        draw: a number from 0 to 1.
    """

    tries: int = 4
    first: float = 0.25
    longest: float = 10.0
    draw: Callable[[], float] = random.random

    def pause(self, failed: int, asked: str = "") -> float:
        """Seconds to wait after so many tries that failed, at least 1.

        Args:
            asked: what stood in Retry-After; of what is no number of seconds nothing is made.
        """
        jitter = self.draw() * min(self.longest, self.first * 2.0 ** (failed - 1))
        seconds = float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0.0
        return min(self.longest, seconds) + jitter


NEVER = Retries(tries=1)
