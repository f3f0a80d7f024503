"""Checksums of a segment: which fields carry one, of what kind each is, and the sums from arrays. Pure; see lua/fields.lua.

Of every field (name and value) 48 bits of its SHA-1 are added up modulo 2^48, each kind for itself: of the names, of the
catalogue, of what was deleted by hand, and of each generation. A sum does not depend on an order, so a write that
changes a field renews it, and whoever holds the same bytes has the same sum.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from services.codestore.records import ItemLabels
from services.codestore.wire import BLOCK, NO_LABEL

NAMES, CATALOG, DELETED = CATALOG_KINDS = ("names", "catalog", "deleted")
API_ITEMS = ""  # the kind of what new generations start from
MODULUS = 1 << 48
NO_BLOCK = 2**32 - 1  # of fields that belong to none

MEMBER, CODED, LABEL_SET, OWN_RECORD, PICTURED = 1, 2, 4, 8, 16  # flags of a row in a generation
_FOLLOWED = MEMBER | CODED | LABEL_SET  # of these, what a serving process has

_NO_NAMES = b"\xff" * BLOCK


def kind_of(field: bytes) -> str:
    """The kind of a field that carries a checksum: one of CATALOG_KINDS, or a generation's id."""
    letter = field[:1]
    if letter == b"g":
        return field[1 : field.rindex(b":")].decode()
    if letter in (b"s", b"o"):
        return field[1:-5].decode()
    return {b"n": NAMES, b"c": CATALOG, b"r": CATALOG, b"t": CATALOG, b"d": DELETED}[letter]


def block_of(field: bytes) -> int:
    """The block of 74 rows that a field that carries a checksum belongs to, or NO_BLOCK."""
    letter = field[:1]
    if letter in (b"n", b"c"):
        return int(field[1:])
    if letter == b"g":
        return int(field[field.rindex(b":") + 1 :])
    if letter == b"d":
        return NO_BLOCK
    return int.from_bytes(field[-4:], "little") // BLOCK


def digest(field: bytes, value: bytes) -> int:
    """What a field adds to the sum of its kind."""
    return int.from_bytes(hashlib.sha1(field + b"\0" + value, usedforsecurity=False).digest()[:6], "big")


def sums_of(fields: Mapping[bytes, bytes]) -> dict[str, int]:
    """The sum of each kind that is among the fields."""
    return added((kind_of(field), digest(field, value)) for field, value in fields.items())


def added(parts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Parts of sums, added up by their kinds."""
    sums: dict[str, int] = {}
    for kind, part in parts:
        sums[kind] = (sums.get(kind, 0) + part) % MODULUS
    return sums


def names_sum(blocks: Iterable[bytes]) -> int:
    """The sum of the names of a segment.

    Args:
        blocks: for 74 rows after 74 rows, the ids in UTF-8, each ended by the byte 0xff; nothing but the end for a free row.
            Rows that the last one lacks are free.
    """
    return sum(digest(field, value) for field, value in names_fields(blocks)) % MODULUS


def names_fields(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The fields of the names of a segment; see `names_sum`."""
    for number, ids in enumerate(blocks):
        value = ids + b"\xff" * (BLOCK - ids.count(b"\xff"))
        if value != _NO_NAMES:
            yield b"n%d" % number, value


def generation_sum(
    generation_id: str,
    member: npt.NDArray[np.bool_],
    coded: npt.NDArray[np.bool_],
    labels: ItemLabels,
    codes: npt.NDArray[np.uint8],
) -> int:
    """What a serving process can tell of a generation's sum in a segment: without records, and what only backfills ask for.

    See `as_followed` for the same from the segment's fields.

    Args:
        member, coded: bool[N], of all rows of the segment, or as many as are not free at the end.
        labels: numbers, of N rows; those of rows that are no members do not count.
        codes: uint8[N, width]; those of rows without a code do not count.
    """
    return (
        sum(
            digest(field, value)
            for field, value in generation_fields(generation_id, member, coded, labels, codes)
        )
        % MODULUS
    )


def generation_fields(
    generation_id: str,
    member: npt.NDArray[np.bool_],
    coded: npt.NDArray[np.bool_],
    labels: ItemLabels,
    codes: npt.NDArray[np.uint8],
) -> Iterator[tuple[bytes, bytes]]:
    """The fields of a generation in a segment, as a serving process has them; see `generation_sum`."""
    rows, width = codes.shape
    counts = np.diff(labels.offsets)
    several = member & (counts > 1)
    single = np.where(member, NO_LABEL, 0).astype("<i4")
    one = member & (counts == 1)
    single[one] = labels.flat[labels.offsets[:-1][one]]
    flags = (member * MEMBER + (member & coded) * CODED + several * LABEL_SET).astype(np.uint8)
    prefix = generation_id.encode()
    for first in range(0, rows, BLOCK):
        part = slice(first, first + BLOCK)
        if flags[part].any():
            own = np.where((flags[part] & CODED > 0)[:, None], codes[part], np.uint8(0))
            missing = BLOCK - len(own)
            yield (
                b"g%s:%d" % (prefix, first // BLOCK),
                b"".join([
                    flags[part].tobytes() + bytes(missing), single[part].tobytes() + bytes(4 * missing),
                    own.tobytes() + bytes(width * missing),
                ]),
            )  # fmt: skip
    for row in np.flatnonzero(several).tolist():
        yield b"s%s:%s" % (prefix, row.to_bytes(4, "little")), labels[row].astype("<i4").tobytes()


def as_followed(field: bytes, value: bytes) -> bytes:
    """The value of a generation's field as a serving process has it; nothing where it has none."""
    if field[:1] == b"o":
        return b""
    if field[:1] != b"g":
        return value
    flags = np.frombuffer(value, np.uint8, BLOCK) & np.uint8(_FOLLOWED)
    return flags.tobytes() + value[BLOCK:] if flags.any() else b""


def as_stored(field: bytes, followed: bytes, stored: bytes) -> bytes:
    """The value that a serving process has, with the flags that it does not have as they are stored."""
    if field[:1] != b"g" or len(stored) != len(followed):
        return followed
    flags = np.frombuffer(followed, np.uint8, BLOCK) | np.frombuffer(stored, np.uint8, BLOCK) & np.uint8(
        OWN_RECORD | PICTURED
    )
    return flags.tobytes() + followed[BLOCK:]
