"""A replica that keeps what it is told in one dictionary, to be compared with the store."""

import threading
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from services.codestore import CodeStore
from services.codestore.records import Columns

Row = tuple[str, tuple[int, ...], tuple[str, ...], bytes | None]  # id, labels, tags, code


class TableReplica:
    """Members of a generation by segment and row."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], Row] = {}
        self._lock = threading.Lock()

    def write(self, columns: Sequence[Columns], reset: Collection[int] = ()) -> None:
        """See follower.Replica."""
        with self._lock:
            for place in [place for place in self.rows if place[0] in reset]:
                del self.rows[place]
            for part in columns:
                self._put(part)
            ids = [row[0] for row in self.rows.values()]
            assert len(ids) == len(set(ids)), "an item stands twice"

    def _put(self, part: Columns) -> None:
        ids = part.ids.split(b"\xff")
        for i, row in enumerate(part.rows.tolist()):
            place = part.segment, row
            self.rows.pop(place, None)
            if part.alive[i] and part.member[i]:
                labels = tuple(part.labels[i].tolist())
                code = part.codes[i].tobytes() if part.coded[i] else None
                self.rows[place] = ids[i].decode(), labels, part.tags.get(i, ()), code
        for place in [place for place in self.rows if place[0] == part.segment and place[1] >= part.total]:
            del self.rows[place]

    def _codes(self) -> dict[str, bytes | None]:
        with self._lock:
            return {row[0]: row[3] for row in self.rows.values()}

    def searchable(self, ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        codes = self._codes()
        return np.array([codes.get(item_id) is not None for item_id in ids], np.bool_)

    def lacking(self, ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        codes = self._codes()
        return np.array([item_id in codes and codes[item_id] is None for item_id in ids], np.bool_)


def as_stored(store: CodeStore, collection: str, generation: str) -> dict[tuple[int, int], Row]:
    """What a replica of a generation must hold, read page by page while nobody writes."""
    replica = TableReplica()
    incarnation = store.pointer(collection).incarnation
    for segment in range(store.segments(collection)):
        page = store.page(collection, generation, segment, 0, 10**6, incarnation=incarnation)
        replica.write([page])
    return replica.rows
