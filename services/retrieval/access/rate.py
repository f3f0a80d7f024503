"""How often a key may ask: a token bucket. Each process has its own, so that N replicas let N times as much through."""

import math

_ROUNDING = 1e-6  # seconds: sums of floating-point times are off by less


class Bucket:
    """Tokens that come back at a rate, up to as many as it holds.

    One number says it all (the generic cell rate algorithm of ATM, ITU-T I.371): when the bucket will be full again.
    """

    __slots__ = ("_full_at", "_second_of_token", "_seconds_to_fill")

    def __init__(self, rate: float, burst: int) -> None:
        """A full bucket.

        Args:
            rate: tokens that come back in a second.
            burst: tokens that it holds.
        """
        self._second_of_token = 1.0 / rate
        self._seconds_to_fill = burst / rate
        self._full_at = -math.inf

    def take(self, now: float) -> float:
        """Take a token.

        Args:
            now: seconds of a clock that never goes back.

        Returns:
            0.0, or seconds until there is one; then nothing was taken.
        """
        full_at = max(self._full_at, now) + self._second_of_token
        wait = full_at - now - self._seconds_to_fill
        if wait > _ROUNDING:
            return wait
        self._full_at = full_at
        return 0.0

    def owe(self, tokens: int) -> None:
        """Take tokens that need not be there yet: there is none until these have come back."""
        self._full_at += tokens * self._second_of_token
