"""The newest token of a client's own writes: what its reads must have seen."""

import re
from threading import Lock

_TOKEN = re.compile(r"([0-9a-f]+)((?:\.[0-9]+-[0-9]+)*)")


def joined(earlier: str | None, later: str | None) -> str | None:
    """A token of both writes. Of two that do not go together, as after a collection was made anew, the later."""
    if earlier is None or later is None:
        return later or earlier
    (first, known), (second, told) = _parts(earlier), _parts(later)
    if not second or first != second:
        return later
    segments = known | {segment: max(at, known.get(segment, 0)) for segment, at in told.items()}
    return second + "".join(f".{segment}-{at}" for segment, at in sorted(segments.items()))


def _parts(token: str) -> tuple[str, dict[int, int]]:
    """Incarnation, and position of each segment; nothing of what is no such token."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return "", {}
    pairs = (part.split("-") for part in found[2].split(".")[1:])
    return found[1], {int(segment): int(at) for segment, at in pairs}


class Tokens:
    """What a client has written; several threads may write."""

    def __init__(self) -> None:
        self._newest: str | None = None
        self._lock = Lock()

    @property
    def newest(self) -> str | None:
        """Of all writes so far."""
        return self._newest

    def wrote(self, token: str | None) -> None:
        """Remember a write's."""
        with self._lock:
            self._newest = joined(self._newest, token)

    def forget(self) -> None:
        """Remember nothing."""
        with self._lock:
            self._newest = None
