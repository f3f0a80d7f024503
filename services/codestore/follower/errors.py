"""What a store says to a follower that must not simply be repeated, and what nobody foresaw."""

from taxohash.errors import TaxohashError


class TrimmedError(TaxohashError):
    """What was written since is no longer known, or never was in this history: load the segment anew."""


class GoneError(TaxohashError):
    """The generation was dropped."""


def described(error: Exception) -> str:
    """An error that nobody foresaw, in one line with its place."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" in {place.tb_frame.f_globals.get('__name__')}:{place.tb_lineno}" if place else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{where}"
