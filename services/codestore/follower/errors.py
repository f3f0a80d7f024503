"""What a store says to a follower that must not simply be repeated."""

from taxohash.errors import TaxohashError


class TrimmedError(TaxohashError):
    """What was written since is no longer known, or never was in this history: load the segment anew."""


class GoneError(TaxohashError):
    """The generation was dropped."""


class StaleError(TaxohashError):
    """The collection is not the one that was opened: it was wiped, and perhaps made anew."""
