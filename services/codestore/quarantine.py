"""Pictures of which a generation could get no code: kept beside it with the reason, told apart from what merely lacks one.

An entry is of one revision of the item's picture: an item that is given another leaves by itself. What entries are left of
items that have gone, or have a code, counts for nothing, and the next backfill removes it.
"""

import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.codestore.checks import check_ids
from services.codestore.collection import STEP_BLOCKS, Collection, CollectionReader
from services.codestore.connection import Call
from services.codestore.keys import backfill_key, quarantine_key
from services.codestore.records import Item, Lacking
from services.codestore.wire import has_picture, lacks_code, unpack_item, unpack_lacking
from taxohash.runtime.terminal import printable

_LACKING = 250  # items of one reply
_SCANNED = 500
_LONGEST = 300  # characters of a reason
_NO_PICTURE = "it has no picture: put it with one, or with a URI"


@dataclass(frozen=True)
class Quarantined:
    """An item whose picture could not be encoded.

    Attributes:
        revision: of the picture.
        reason: one line.
        when: Unix time in seconds.
    """

    id: str
    revision: int
    reason: str
    when: int


@dataclass(frozen=True)
class Lack:
    """Members of a generation that have no code.

    Attributes:
        waiting: have a picture that nobody has found bad: work for a backfill.
        quarantined: have one that could not be encoded.
        without_picture: have none.
    """

    waiting: int = 0
    quarantined: int = 0
    without_picture: int = 0

    def __add__(self, other: "Lack") -> "Lack":
        return Lack(
            self.waiting + other.waiting,
            self.quarantined + other.quarantined,
            self.without_picture + other.without_picture,
        )


class Quarantine(CollectionReader):
    """What the generations of a collection lack, and what of it is quarantined."""

    def lacking(self, collection: str, generation_id: str) -> Iterator[list[Lacking]]:
        """Items whose code a generation lacks and whose picture is somewhere, some hundred at a time; quarantined ones too."""
        opened = self._use(collection, lambda opened: opened)
        for segment in range(opened.segments):
            for items, _ in self._lacking_of(opened, generation_id, segment):
                if items:
                    yield items

    def are_quarantined(self, collection: str, generation_id: str, items: Sequence[Lacking]) -> list[bool]:
        """Of each item that lacks its code whether its picture, as it is now, is known to be bad."""
        opened = self._use(collection, lambda opened: opened)
        return [entry is not None for entry in self._entries_of(opened, generation_id, items)]

    def unencodable(self, collection: str, generation_id: str, ids: Iterable[str]) -> dict[str, str]:
        """Of which items no backfill can bring the code as they are now, and why: their picture is in quarantine, or nowhere."""
        listed = check_ids(ids)

        def work(opened: Collection) -> dict[str, str]:
            replies = zip(listed, self._items(opened, listed, generation_id), strict=True)
            lacking = [(item_id, reply) for item_id, reply in replies if reply and lacks_code(reply)]
            pictured = [unpack_item(item_id, reply) for item_id, reply in lacking if has_picture(reply)]
            entries = self._entries_of(opened, generation_id, pictured)
            return {item_id: _NO_PICTURE for item_id, reply in lacking if not has_picture(reply)} | {
                entry.id: f"its picture cannot be read: {entry.reason}" for entry in entries if entry
            }

        return self._use(collection, work)

    def quarantined(self, collection: str, generation_id: str) -> Iterator[Quarantined]:
        """All entries, in no order, those among them that count for nothing any more."""
        opened = self._use(collection, lambda opened: opened)
        for item_id, value in self._entries(opened, generation_id):
            if (found := _entry(opened, item_id, value)) is not None:
                yield found

    def quarantine(
        self,
        collection: str,
        generation_id: str,
        token: int,
        bad: Iterable[tuple[Lacking, str]],
    ) -> None:
        """Put items into quarantine.

        Args:
            token: of who holds the generation, see `Turns.hold`.
            bad: items, and why each cannot be encoded.

        Raises:
            FencedError: another holds it by now.
        """
        opened, now = self._use(collection, lambda opened: opened), int(time.time())
        entries = {}
        for item, reason in bad:
            told = printable(" ".join(reason.split()))[:_LONGEST]
            entries[item.id] = "\t".join(
                (opened.incarnation[:8], str(item.revision), str(now), told)
            ).encode()
        self._set_quarantine(opened, generation_id, token, entries)

    def forget_quarantined(
        self, collection: str, generation_id: str, token: int, but: Container[str]
    ) -> None:
        """Remove all entries but those of some ids.

        Raises:
            FencedError: as `quarantine`.
        """
        opened = self._use(collection, lambda opened: opened)
        gone = {item_id: b"" for item_id, _ in self._entries(opened, generation_id) if item_id not in but}
        self._set_quarantine(opened, generation_id, token, gone)

    def retry_quarantined(self, collection: str, generation_id: str) -> int:
        """Empty the quarantine of a generation, so that a backfill tries all again; how many entries there were."""
        opened = self._use(collection, lambda opened: opened)
        key, dropped = quarantine_key(collection, generation_id), 0
        for item_id, _ in list(self._entries(opened, generation_id)):
            dropped += self._connection.command("HDEL", key, item_id, key=key)
        return dropped

    def lack(self, collection: str, generation_id: str) -> Lack:
        """What a generation lacks now, counted item by item."""

        def work(opened: Collection) -> Lack:
            self._status(opened).known(generation_id)
            segments = range(opened.segments)
            return sum((self._lack(opened, generation_id, segment) for segment in segments), Lack())

        return self._use(collection, work)

    def _lack(self, opened: Collection, generation_id: str, segment: int, position: int = 2**32) -> Lack:
        """What lacks in a segment, of the items whose picture was set up to a position."""
        found = Lack()
        for items, without in self._lacking_of(opened, generation_id, segment, position):
            bad = sum(entry is not None for entry in self._entries_of(opened, generation_id, items))
            found += Lack(len(items) - bad, bad, without)
        return found

    def _lacking_of(
        self, opened: Collection, generation_id: str, segment: int, position: int = 2**32
    ) -> Iterator[tuple[list[Lacking], int]]:
        """Items of a segment that lack a code, and how many more have no picture, a few blocks at a time."""
        block = 0
        while block != -1:
            arguments = (generation_id, block, STEP_BLOCKS, position, _LACKING)
            reply = self._call(opened.on(segment, "lacking", *arguments, read_only=True))
            yield unpack_lacking(reply), reply[-1]
            block = reply[0]

    def _entries_of(
        self, opened: Collection, generation_id: str, items: Sequence[Lacking | Item]
    ) -> list[Quarantined | None]:
        """What is said of each item's picture as it is now."""
        if not items:
            return []
        key = quarantine_key(opened.name, generation_id)
        values = self._connection.command("HMGET", key, *(item.id for item in items), key=key)
        entries = [
            _entry(opened, item.id, value) if value else None
            for item, value in zip(items, values, strict=True)
        ]
        return [
            entry if entry and entry.revision == item.revision else None
            for item, entry in zip(items, entries, strict=True)
        ]

    def _set_quarantine(
        self, opened: Collection, generation_id: str, token: int, entries: Mapping[str, bytes]
    ) -> None:
        keys = (backfill_key(opened.name), quarantine_key(opened.name, generation_id))
        pairs = list(entries.items())
        for first in range(0, len(pairs), _SCANNED):
            arguments = [text for pair in pairs[first : first + _SCANNED] for text in pair]
            self._call(Call("quarantine", keys, (generation_id, token, *arguments)))

    def _quarantined_count(self, opened: Collection, generation_id: str) -> int:
        """How many entries there are; some may count for nothing any more."""
        key = quarantine_key(opened.name, generation_id)
        return int(self._connection.command("HLEN", key, key=key))

    def _entries(self, opened: Collection, generation_id: str) -> Iterator[tuple[str, bytes]]:
        key, cursor = quarantine_key(opened.name, generation_id), b"0"
        while True:
            cursor, flat = self._connection.command("HSCAN", key, cursor, "COUNT", _SCANNED, key=key)
            for item_id, value in zip(flat[::2], flat[1::2], strict=True):
                yield item_id.decode(), value
            if cursor == b"0":
                return


def _entry(opened: Collection, item_id: str, value: bytes) -> Quarantined | None:
    """What a value says; None where it is of an older collection of this name."""
    incarnation, revision, when, reason = value.decode().split("\t", 3)
    if incarnation != opened.incarnation[:8]:
        return None
    return Quarantined(item_id, int(revision), reason, int(when))
