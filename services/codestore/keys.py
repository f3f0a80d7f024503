"""Where things are in Redis: the hash tag of a segment or of a collection, and the segment of an id."""

import re
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(what: str, name: str) -> str:
    """A collection name or generation id that is safe in a key.

    Raises:
        TaxohashError: it is not 1 to 100 letters, digits, '.', '_' or '-', starting with a letter or digit.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TaxohashError(f"{what} {name!r} is no name: use 1 to 100 letters, digits, '.', '_' or '-'")
    return name


def collection_key(collection: str) -> str:
    """Prefix of the collection's own keys (taxonomy, generations, pointer): one slot."""
    return f"taxohash:{{{collection}}}"


def segment_key(collection: str, segment: int) -> str:
    """Prefix of the keys of one segment: one slot."""
    return f"taxohash:{{{collection}:{segment}}}"


def segments_of(ids: Sequence[str], segments: int) -> npt.NDArray[np.int64]:
    """int64[N]: the segment of each id, CRC-32 of its UTF-8 bytes modulo the number of segments."""
    crc = (zlib.crc32(item_id.encode()) for item_id in ids)
    return np.fromiter(crc, np.int64, len(ids)) % segments
