"""What a store shows: all rows of a generation by pages and changes, as a follower reads them, and the bare fields."""

from typing import Any

from services.codestore import CodeStore
from services.codestore.follower.errors import TrimmedError
from services.codestore.keys import segment_keys
from services.codestore.records import Columns
from services.codestore.wire import BLOCK, unended
from tests.chaos.contents import COLLECTION, Seen

_PAGE = 8  # blocks


class View:
    """One generation, held row by row, and followed."""

    def __init__(self, store: CodeStore, generation: str, incarnation: str, segments: int) -> None:
        self.generation = generation
        self._store = store
        self._incarnation = incarnation
        self._rows: list[dict[int, Seen]] = [{} for _ in range(segments)]
        self._since: list[int | None] = [None] * segments
        self._seen: list[set[tuple[int, int]]] = [set() for _ in range(segments)]  # (position, stamp)

    def refresh(self) -> list[Seen]:
        """Read until everything written before is held; all members."""
        for segment in range(len(self._rows)):
            self._follow(segment)
        return [seen for rows in self._rows for seen in rows.values()]

    def _load(self, segment: int) -> int:
        self._rows[segment].clear()
        self._seen[segment].clear()
        block = 0
        while True:
            columns = self._store.page(
                COLLECTION, self.generation, segment, block, _PAGE, incarnation=self._incarnation
            )
            self._apply(columns)
            block += _PAGE
            if block * BLOCK >= columns.total:
                return min(position for position, _ in self._seen[segment])

    def _follow(self, segment: int) -> None:
        since = self._since[segment]
        while True:
            self._since[segment] = None  # until this is read to its end
            since = self._load(segment) if since is None else since
            try:
                changed = self._store.changes(
                    COLLECTION,
                    self.generation,
                    segment,
                    since,
                    sorted(self._seen[segment]),
                    incarnation=self._incarnation,
                )
            except TrimmedError:
                since = None
                continue
            self._apply(changed.columns)
            since = changed.until
            if since == changed.columns.position:
                self._since[segment] = since
                self._seen[segment] = {(changed.columns.position, changed.columns.stamp)}
                return

    def _apply(self, columns: Columns) -> None:
        rows = self._rows[columns.segment]
        self._seen[columns.segment].add((columns.position, columns.stamp))
        ids = unended(columns.ids)
        for i, row in enumerate(columns.rows.tolist()):
            if columns.member[i]:
                code = columns.codes[i].tobytes() if columns.coded[i] else None
                rows[row] = Seen(ids[i], tuple(columns.labels[i].tolist()), columns.tags.get(i, ()), code)
            else:
                rows.pop(row, None)
        for row in [row for row in rows if row >= columns.total]:
            del rows[row]


def fields_of(store: CodeStore, segment: int) -> dict[bytes, bytes]:
    """All fields of a segment's hash; while nobody writes."""
    key = segment_keys(COLLECTION, segment)[0]
    fields: dict[bytes, bytes] = {}
    cursor: Any = b"0"
    while True:
        cursor, flat = store._connection.command("HSCAN", key, cursor, "COUNT", 1000, key=key)
        fields.update(zip(flat[::2], flat[1::2], strict=True))
        if cursor == b"0":
            return fields


def is_live(store: CodeStore, generation: str) -> bool:
    """Whether writes still reached a generation when it had been read: where it was replaced twice meanwhile, they did not."""
    return any(known.live for known in store.generations(COLLECTION) if known.ref.id == generation)
