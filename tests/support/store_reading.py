"""What lies in a code store, read the long way round."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from services.codestore import CodeStore
from services.codestore.follower.errors import TrimmedError
from services.codestore.keys import segment_keys, segments_of
from services.codestore.records import Columns, fingerprint
from services.codestore.wire import BLOCK, unended

_SUM = 2**48

# id, labels, code or None, tags, fingerprint of the picture: of a member
Row = tuple[str, tuple[int, ...], bytes | None, tuple[str, ...], int]


def rows_of(columns: Columns) -> Iterator[tuple[int, Row | None]]:
    """Each row, with what a generation has in it."""
    for i, (row, name) in enumerate(zip(columns.rows.tolist(), unended(columns.ids), strict=True)):
        assert bool(name) == bool(columns.alive[i])
        if not columns.member[i]:
            assert not len(columns.labels[i])
            yield row, None
            continue
        code = columns.codes[i].tobytes() if columns.coded[i] else None
        told = (
            tuple(columns.labels[i].tolist()),
            code,
            columns.tags.get(i, ()),
            int(columns.fingerprints[i]),
        )
        yield row, (name, *told)


@dataclass
class Follower:
    """Follows a generation in the simplest way: pages of a segment once, then what changed since.

    Attributes:
        marks: of each segment the positions and stamps that were seen.
        rows: of each segment.
        read: how often a segment was read by pages.
    """

    store: CodeStore
    collection: str
    generation: str
    page_blocks: int = 1
    incarnation: str = ""
    positions: dict[int, int] = field(default_factory=dict)
    marks: dict[int, set[tuple[int, int]]] = field(default_factory=dict)
    rows: dict[int, dict[int, Row]] = field(default_factory=dict)
    read: int = 0

    def catch_up(self) -> dict[str, Row]:
        """All members as they are now, by id."""
        self.incarnation = self.store.pointer(self.collection).incarnation
        for segment in range(self.store.segments(self.collection)):
            self._advance(segment)
        found = [row for rows in self.rows.values() for row in rows.values()]
        assert len({row[0] for row in found}) == len(found)
        return {row[0]: row for row in found}

    def _advance(self, segment: int) -> None:
        if segment not in self.positions:
            self._load(segment)
        latest = -1
        while self.positions[segment] != latest:
            try:
                changed = self.store.changes(
                    self.collection,
                    self.generation,
                    segment,
                    self.positions[segment],
                    sorted(self.marks[segment]),
                    incarnation=self.incarnation,
                )
            except TrimmedError:
                self._load(segment)
                continue
            self._apply(segment, changed.columns)
            self.marks[segment] = {(changed.columns.position, changed.columns.stamp)}
            self.positions[segment], latest = changed.until, changed.columns.position

    def _load(self, segment: int) -> None:
        self.rows[segment], self.marks[segment] = {}, set()
        self.read += 1
        block = total = 0
        while block * BLOCK <= total:
            columns = self.store.page(
                self.collection,
                self.generation,
                segment,
                block,
                self.page_blocks,
                incarnation=self.incarnation,
            )
            if not block:
                self.positions[segment] = columns.position
            self._apply(segment, columns)
            block, total = block + self.page_blocks, columns.total

    def _apply(self, segment: int, columns: Columns) -> None:
        rows = self.rows[segment]
        for number, row in rows_of(columns):
            if row is None:
                rows.pop(number, None)
            else:
                rows[number] = row
        for number in [number for number in rows if number >= columns.total]:
            del rows[number]
        self.marks[segment].add((columns.position, columns.stamp))


def fields_of(store: CodeStore, key: str) -> dict[bytes, bytes]:
    """All fields of a hash."""
    found: dict[bytes, bytes] = {}
    cursor = b"0"
    while True:
        cursor, flat = store._connection.command("HSCAN", key, cursor, "COUNT", 1_000, key=key)
        found.update(zip(flat[::2], flat[1::2], strict=True))
        if cursor == b"0":
            return found


def digest(name: bytes, value: bytes) -> int:
    """The part of a checksum that one field gives."""
    return int(hashlib.sha1(name + b"\0" + value).hexdigest()[:12], 16)


def check_segments(store: CodeStore, collection: str) -> None:
    """Every segment agrees with itself: checksums, counts, the index of ids, free rows; and nothing is left over."""
    tallies = store.tallies(collection)
    opened = store._open(collection)
    for segment, tally in enumerate(tallies):
        key = segment_keys(collection, segment)[0]
        fields = fields_of(store, key)
        names = unended(fields.get(b"generations", b""))[::3]
        kinds = ("names", "catalog", "deleted", "", *names)
        state = {b"incarnation", b"open", b"generations", b"position", b"stamp", b"alive", b"deleted"}
        state |= {f"sum:{kind}".encode() for kind in kinds}
        state |= {
            f"{part}:{name}".encode()
            for name in ("", *names)
            for part in ("members", "coded", "begun", "missing", "revived")
        }
        index = {name: value for name, value in fields.items() if name[:1] in b"=#"}
        raw = {name: value for name, value in fields.items() if name not in index and name not in state}
        in_blocks = {name: value for name, value in raw.items() if name[:1] != b"d"}
        assert in_blocks == _raw(store, opened, segment, tally.blocks)
        sums = dict.fromkeys(kinds, 0)
        for name, value in raw.items():
            sums[_kind(name)] += digest(name, value)
        assert tally.sums == {kind: total % _SUM for kind, total in sums.items()}

        ids: dict[int, str] = {}
        free = ""
        for block in range(tally.blocks):
            own = unended(raw.get(b"n%d" % block, b"\xff" * BLOCK))
            assert len(own) == BLOCK
            ids.update({block * BLOCK + i: name for i, name in enumerate(own) if name})
            free += chr(48 + own.count(""))
        assert fields[b"open"].decode() == free
        assert index == {_index_field(name): row.to_bytes(4, "little") for row, name in ids.items()}
        assert tally.items == len(ids) == len(set(ids.values()))
        assert not len(ids) or (segments_of(list(ids.values()), opened.segments) == segment).all()

        for row in range(tally.blocks * BLOCK):
            flags = raw.get(b"c%d" % (row // BLOCK), bytes(BLOCK))[row % BLOCK]
            assert (flags & 1) == (row in ids)
            column = raw.get(b"c%d" % (row // BLOCK), b"")[9 * BLOCK :] or bytes(BLOCK)
            assert column[row % BLOCK] == _fingerprint(raw.get(b"r" + row.to_bytes(4, "little"), b""))
        for generation in [*names, ""]:
            column = b"".join(
                raw.get(b"g%s:%d" % (generation.encode(), block), bytes(BLOCK))[:BLOCK]
                for block in range(tally.blocks)
            )
            assert tally.members[generation] == sum(flag & 1 for flag in column)
            assert tally.codes[generation] == sum(flag >> 1 & 1 for flag in column)
            assert all(row in ids for row, flag in enumerate(column) if flag)
        assert tally.deleted == sum(
            len(unended(value)) for name, value in raw.items() if _kind(name) == "deleted"
        )


def _raw(store: CodeStore, opened: Any, segment: int, blocks: int) -> dict[bytes, bytes]:
    """The checksummed fields of the blocks of a segment, as a backup reads them."""
    found: dict[bytes, bytes] = {}
    for first in range(0, blocks, 2):
        _position, total, lost, *flat = store._call(opened.on(segment, "raw", first, 2, read_only=True))
        assert (total, lost) == (blocks, b"")
        found.update(zip(flat[::2], flat[1::2], strict=True))
    return found


def _fingerprint(record: bytes) -> int:
    *_, values = unended(record)[:4] or [""]
    return fingerprint(values.partition("{")[0])


def _kind(name: bytes) -> str:
    letter = name[:1]
    if letter in b"gso":
        return name[1 : name.index(b":")].decode()
    return {b"n": "names", b"c": "catalog", b"r": "catalog", b"t": "catalog", b"d": "deleted"}[letter]


def _index_field(item_id: str) -> bytes:
    data = item_id.encode()
    return b"=" + data if len(data) < 14 else b"#" + hashlib.sha1(data).digest()[:12]
