"""What a replica must answer, by a dict of its rows and loops over it; and columns as the store gives them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.codestore.follower.filters import Below, Either, Filter, Tagged
from services.codestore.records import Columns, ItemLabels
from taxohash.codes import Codes
from taxohash.taxonomy import Taxonomy
from tests.support.hamming_oracle import weighted_distances


@dataclass(frozen=True)
class Row:
    """An item of the catalogue in a row. `code` is None while it is being encoded."""

    id: str
    labels: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    code: bytes | None = None
    member: bool = True
    fingerprint: int = 0


def columns(
    segment: int, rows: Mapping[int, Row | None], total: int, width: int, position: int = 1
) -> Columns:
    """What the store says of some rows; None for a free one."""
    items = [rows[row] or Row("", member=False) for row in sorted(rows)]
    codes = b"".join(item.code or bytes(width) for item in items)
    return Columns(
        segment=segment,
        position=position,
        stamp=position,
        total=total,
        rows=np.array(sorted(rows), np.int64),
        alive=np.array([bool(item.id) for item in items], np.bool_),
        member=np.array([item.member for item in items], np.bool_),
        coded=np.array([item.code is not None for item in items], np.bool_),
        ids=b"".join(item.id.encode() + b"\xff" for item in items),
        labels=ItemLabels.of(
            np.array([label for item in items for label in item.labels], np.int32),
            np.array([len(item.labels) for item in items], np.int64),
        ),
        codes=np.frombuffer(codes, np.uint8).reshape(len(items), width),
        tags={i: item.tags for i, item in enumerate(items) if item.tags},
        fingerprints=np.array([item.fingerprint for item in items], np.uint8),
    )


class Naive:
    """Members by global row."""

    def __init__(self, segments: int, taxonomy: Taxonomy, numbers: Iterable[int]) -> None:
        self.segments = segments
        self.rows: dict[int, Row] = {}
        self.paths = dict(zip(numbers, taxonomy.paths, strict=True))

    def write(self, segment: int, rows: Mapping[int, Row | None], total: int, reset: bool) -> None:
        for row in [row for row in self.rows if row % self.segments == segment]:
            if reset or row // self.segments >= total:
                del self.rows[row]
        for local, item in rows.items():
            row = local * self.segments + segment
            self.rows.pop(row, None)
            if item is not None and item.member and local < total:
                self.rows[row] = item

    def holds(self, asked: Filter, item: Row) -> bool:
        if isinstance(asked, Below):
            node = tuple(part for part in asked.node.split("/") if part)
            return any(self.paths[label][: len(node)] == node for label in item.labels if label in self.paths)
        if isinstance(asked, Tagged):
            return asked.tag in item.tags
        join: Callable[[Iterable[bool]], bool] = any if isinstance(asked, Either) else all
        return join([self.holds(part, item) for part in asked.parts])

    def search(self, code: Codes, asked: Filter | None) -> list[tuple[int, int, str, tuple[int, ...]]]:
        """Every item that is allowed as distance, row, id and labels, nearest first, ties by row."""
        found = []
        for row, item in self.rows.items():
            if item.code is not None and (asked is None or self.holds(asked, item)):
                near = int(np.bitwise_count(np.frombuffer(item.code, np.uint8) ^ code).sum())
                found.append((near, row, item.id, item.labels))
        return sorted(found)

    def weigh(
        self, code: Codes, weights: npt.NDArray[np.float32], asked: Filter | None
    ) -> list[tuple[float, tuple[int, int, str, tuple[int, ...]]]]:
        """The same by weights float32[bits]: weighted distance and item."""
        found = []
        for near, row, item_id, labels in self.search(code, asked):
            own = np.frombuffer(self.rows[row].code or b"", np.uint8)[None]
            whole, unit = weighted_distances(own, code, weights)
            found.append((int(whole[0]), row, (int(whole[0]) * unit, (near, row, item_id, labels))))
        return [told for _, _, told in sorted(found)]

    @property
    def unknown_labels(self) -> int:
        return sum(any(label not in self.paths for label in item.labels) for item in self.rows.values())
