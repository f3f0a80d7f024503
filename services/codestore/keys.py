"""Where things are in Redis: the keys of a collection and of its segments, and the segment of an id."""

import re
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError

NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"  # safe in a key, a file's name and an address


def check_name(what: str, name: str) -> str:
    """The name of a collection or a run, or a generation's id.

    Raises:
        TaxohashError: it is not 1 to 100 letters, digits, '.', '_' or '-', starting with a letter or digit.
    """
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        raise TaxohashError(f"{what} {name!r} is no name: use 1 to 100 letters, digits, '.', '_' or '-'")
    return name


def collection_keys(collection: str) -> tuple[str, ...]:
    """Keys of the collection's own, of one slot: the hash, and the audit of what was published."""
    key = f"taxohash:{{{collection}}}"
    return (key, f"{key}:audit")


def origins_key(collection: str) -> str:
    """The hash of where generations come from, by their ids; it outlives them."""
    return f"taxohash:{{{collection}}}:origins"


def lease_key(collection: str) -> str:
    """The sorted set of leases: who holds which generation until when."""
    return f"taxohash:{{{collection}}}:leases"


def backfill_key(collection: str) -> str:
    """The hash of what backfills tell each other; see lua/backfill.lua."""
    return f"taxohash:{{{collection}}}:backfill"


def quarantine_key(collection: str, generation_id: str) -> str:
    """The hash of items whose pictures a generation could not be given the codes of, by id."""
    return f"taxohash:{{{collection}}}:quarantine:{generation_id}"


def channel(collection: str) -> str:
    """The channel of hints: `segment position` after a write, `published` after a publish."""
    return f"taxohash:{{{collection}}}:changed"


def segment_keys(collection: str, segment: int) -> tuple[str, ...]:
    """Keys of a segment, of one slot: the hash, the stream of its changes, and its writers."""
    key = f"taxohash:{{{collection}:{segment}}}"
    return (key, f"{key}:changes", f"{key}:writers")


def segments_of(ids: Sequence[str], segments: int) -> npt.NDArray[np.int64]:
    """int64[N]: the segment of each id, CRC-32 of its UTF-8 bytes modulo the number of segments."""
    crc = (zlib.crc32(item_id.encode()) for item_id in ids)
    return np.fromiter(crc, np.int64, len(ids)) % segments
