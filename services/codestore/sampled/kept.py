"""What is kept of sampled queries, as a listing tells it, and what of it has to go."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.codestore.places import Entry

_NAME = re.compile(r"([0-9]{12})-([0-9a-f]{64})-([0-9a-f]{16})-[0-9a-f]{8}")


@dataclass(frozen=True, order=True)
class Kept:
    """One of them; in the order of their age, the oldest first.

    Attributes:
        when: it was asked, in Unix time.
        digest: sha256 of the picture, in hex.
        pixels: the hash of its pixels.
        size: bytes, with what was answered.
        written: when the store took it, by the store's clock.
    """

    when: int
    digest: str
    pixels: str
    name: str
    size: int
    written: float


@dataclass(frozen=True)
class Bounds:
    """How many there may be, how many bytes of them, and for how many seconds."""

    most: int
    most_bytes: int
    seconds: float


def name_of(when: int, digest: str, pixels: str) -> str:
    """A name that no other has, and that says all that is asked of a listing."""
    return f"{when:012d}-{digest}-{pixels}-{secrets.token_hex(4)}"


def kept_of(entry: Entry) -> Kept | None:
    """What an entry of a listing is; None where it is no sampled query."""
    found = _NAME.fullmatch(entry.name) if entry.is_file else None
    if found is None:
        return None
    return Kept(int(found[1]), found[2], found[3], entry.name, entry.size, entry.written)


def deleted_at(one: Kept, deleted: Mapping[str, float]) -> float:
    """When an item of this picture was deleted last, by bytes or pixels; -1 where none was."""
    return max(deleted.get(one.digest, -1.0), deleted.get(one.pixels, -1.0))


def surplus(
    kept: Sequence[Kept], bounds: Bounds, now: float, deleted: Mapping[str, float] | None = None
) -> list[Kept]:
    """What has to go, the oldest first. Over a bound the oldest does: comparisons and drift are about what was asked lately.

    The same for all who look at once, so that several processes remove no more than one does.

    Args:
        deleted: digests and hashes of pixels of pictures of items that were deleted, and when; what was asked before goes with them.
    """
    gone: list[Kept] = []
    room: list[Kept] = []
    for one in sorted(kept):
        # By the store's clock too: a process whose own is fast keeps nothing for longer.
        over = min(float(one.when), one.written) + bounds.seconds <= now
        (gone if over or one.when <= deleted_at(one, deleted or {}) else room).append(one)
    size, first = sum(one.size for one in room), 0
    while len(room) - first > bounds.most or size > bounds.most_bytes:
        size -= room[first].size
        first += 1
    return sorted(gone + room[:first])
