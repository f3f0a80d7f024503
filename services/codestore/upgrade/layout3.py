"""Collections as the release before kept them (layout 3): read, and in the end removed, with plain commands alone.

In the slot of a segment, "taxohash:{name:segment}", are `rows` (hash id -> row), columns in chunks of 4,080 rows (`ids:C`, `labels:C`,
`times:C`, and of a generation `codes:G:C`), `coded:G` (a bit a row), hashes row -> value of what most rows lack (`label_sets`,
`uris`, `tags`, `thumbnails`), `generations` (hash id -> bits), `stream`, and `state` (hash: rows, position). In the slot of the
collection, "taxohash:{name}", are `collection` (hash: layout, segments, taxonomy), `generations` (hash id -> "bits taxonomy-sha256
unix-time"), `history` (list, the published one first), `events` and `discarding`. No name of a key is one of layout 4, so that
both live in one server while pods of both releases run.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from services.codestore.keys import check_name
from services.codestore.records import GenerationRef
from taxohash.codes import code_bytes
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

LAYOUT = 3

_CHUNK = 4080  # rows
_BATCH = 510  # rows read at once, of which a chunk has eight: their thumbnails are up to 256 KiB each
_NO_LABEL = b"\xff\xff\xff\xff"  # none, or several
_SPARSE = ("label_sets", "uris", "tags", "thumbnails")

Codes = npt.NDArray[np.uint8]


class NothingOldError(TaxohashError):
    """There is no collection of layout 3."""


class Commands(Protocol):
    """Sends plain commands to the server that holds a key."""

    def command(self, *parts: str | bytes | int, key: str | None = None) -> Any:
        """The reply."""


@dataclass(frozen=True)
class OldItem:
    """An item of layout 3; `labels` are indices into the taxonomy, `thumbnail` its bytes, `updated` in Unix time."""

    id: str
    labels: tuple[int, ...]
    thumbnail: bytes
    uri: str
    tags: tuple[str, ...]
    updated: int


@dataclass(frozen=True, eq=False)
class OldBatch:
    """Some items of a segment, and by generation which of them have a code, bool[n], and the codes, uint8[n, width]."""

    items: tuple[OldItem, ...]
    coded: Mapping[str, npt.NDArray[np.bool_]]
    codes: Mapping[str, Codes]


@dataclass(frozen=True)
class OldSegment:
    """How far a segment was written: a change of its position is a change of its content."""

    position: int
    rows: int


@dataclass(frozen=True)
class Layout3:
    """A collection of layout 3; made by `open`.

    Attributes:
        generations: in the order in which they were begun.
        history: ids of published generations, the current one first.
    """

    name: str
    segments: int
    taxonomy: Taxonomy
    generations: tuple[GenerationRef, ...]
    history: tuple[str, ...]
    commands: Commands

    @classmethod
    def open(cls, commands: Commands, collection: str) -> "Layout3":
        """Read what the collection is.

        Raises:
            NothingOldError: there is none.
            TaxohashError: it has another layout.
            StoreUnavailableError: the server does not answer as it should.
        """
        base = f"taxohash:{{{check_name('collection', collection)}}}"
        key = f"{base}:collection"
        layout, segments, taxonomy = commands.command("HMGET", key, "layout", "segments", "taxonomy", key=key)
        if layout is None:
            raise NothingOldError(
                f"there is no collection {collection!r} of the release before: there is nothing to upgrade"
            )
        if int(layout) != LAYOUT:
            raise TaxohashError(
                f"collection {collection!r} has layout {int(layout)}, only {LAYOUT} is upgraded: use the release between first"
            )
        key = f"{base}:generations"
        begun = []
        for name, value in pairs(commands.command("HGETALL", key, key=key)):
            bits, taxonomy_sha256, created = value.decode().split()
            begun.append((int(created), GenerationRef(name.decode(), int(bits), taxonomy_sha256)))
        key = f"{base}:history"
        history = commands.command("LRANGE", key, 0, -1, key=key)
        return cls(
            name=collection,
            segments=int(segments),
            taxonomy=Taxonomy.from_json(taxonomy.decode(), f"of collection {collection!r}"),
            generations=tuple(ref for _, ref in sorted(begun, key=lambda pair: (pair[0], pair[1].id))),
            history=tuple(name.decode() for name in history),
            commands=commands,
        )

    def segment(self, segment: int) -> OldSegment:
        """How far a segment is written now."""
        position, rows = self._ask("HMGET", segment, "state", "position", "rows")
        return OldSegment(int(position or 0), int(rows or 0))

    def batches(self, segment: int, rows: int) -> Iterator[OldBatch]:
        """The items of the first `rows` rows of a segment, in the order of their rows.

        What an old writer changes meanwhile may be seen in parts: the position of the segment is another then, and it has to be
        read again.
        """
        for chunk in range(-(-rows // _CHUNK)):
            count = min(_CHUNK, rows - chunk * _CHUNK)
            ids = self._column(segment, f"ids:{chunk}").split(b"\xff")[:count]
            labels = self._column(segment, f"labels:{chunk}").ljust(count * 4, b"\0")
            times = self._column(segment, f"times:{chunk}").ljust(count * 4, b"\0")
            codes = {ref.id: self._codes(segment, ref, chunk, count) for ref in self.generations}
            for first in range(0, count, _BATCH):
                rows_here = range(first, min(first + _BATCH, count))
                sparse = self._sparse(segment, [chunk * _CHUNK + row for row in rows_here])
                found = self._ask("HMGET", segment, "rows", *ids[first : rows_here.stop])
                there = [
                    row
                    for row, at in zip(rows_here, found, strict=True)
                    if at is not None and int(at) == chunk * _CHUNK + row
                ]
                items = tuple(
                    OldItem(
                        id=ids[row].decode(),
                        labels=_labels(labels[row * 4 : row * 4 + 4], sparse["label_sets"][row - first]),
                        thumbnail=sparse["thumbnails"][row - first],
                        uri=sparse["uris"][row - first].decode(),
                        tags=tuple(filter(None, sparse["tags"][row - first].decode().split("\t"))),
                        updated=int.from_bytes(times[row * 4 : row * 4 + 4], "little"),
                    )
                    for row in there
                )
                yield OldBatch(
                    items,
                    {name: coded[there] for name, (coded, _) in codes.items()},
                    {name: own[there] for name, (_, own) in codes.items()},
                )

    def all_keys(self) -> Iterator[str]:
        """Every key of the collection, in an order in which they can be removed: what the others are found by comes last."""
        for segment in range(self.segments):
            names = [name.decode() for name, _ in pairs(self._ask("HGETALL", segment, "generations"))]
            names = sorted({*names, *(ref.id for ref in self.generations)})
            chunks = range(-(-self.segment(segment).rows // _CHUNK))
            columns = ["ids", "labels", "times", *(f"codes:{name}" for name in names)]
            for own in [
                "rows",
                *(f"{column}:{chunk}" for column in columns for chunk in chunks),
                *(f"coded:{name}" for name in names),
                *_SPARSE,
                "stream",
                "generations",
                "state",
            ]:
                yield self._key(segment, own)
        for own in ("history", "discarding", "events", "generations", "collection"):
            yield f"taxohash:{{{self.name}}}:{own}"

    def _key(self, segment: int, own: str) -> str:
        return f"taxohash:{{{self.name}:{segment}}}:{own}"

    def _ask(self, command: str, segment: int, own: str, *values: str | bytes | int) -> Any:
        key = self._key(segment, own)
        return self.commands.command(command, key, *values, key=key)

    def _column(self, segment: int, own: str) -> bytes:
        found: bytes | None = self._ask("GET", segment, own)
        return found or b""

    def _codes(
        self, segment: int, ref: GenerationRef, chunk: int, count: int
    ) -> tuple[npt.NDArray[np.bool_], Codes]:
        """Of a chunk which rows have a code, and the codes."""
        first, width = chunk * _CHUNK // 8, code_bytes(ref.bits)
        bitmap: bytes = self._ask("GETRANGE", segment, f"coded:{ref.id}", first, first + _CHUNK // 8 - 1)
        bits = np.frombuffer(bitmap.ljust(_CHUNK // 8, b"\0"), np.uint8)
        column = self._column(segment, f"codes:{ref.id}:{chunk}").ljust(count * width, b"\0")
        return (
            np.unpackbits(bits, count=count).astype(bool),
            np.frombuffer(column, np.uint8, count * width).reshape(count, width),
        )

    def _sparse(self, segment: int, rows: Sequence[int]) -> dict[str, list[bytes]]:
        return {
            name: [value or b"" for value in self._ask("HMGET", segment, name, *rows)] for name in _SPARSE
        }


def _labels(single: bytes, several: bytes) -> tuple[int, ...]:
    return tuple(np.frombuffer(several if single == _NO_LABEL else single, "<i4").tolist())


def pairs(reply: Mapping[bytes, bytes] | Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
    """Fields and values of a hash, as either version of the protocol gives them."""
    if isinstance(reply, Mapping):
        return reply.items()
    return zip(reply[::2], reply[1::2], strict=True)
