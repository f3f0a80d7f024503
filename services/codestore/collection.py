"""A collection as the store knows it: segments, taxonomy, generations, history."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.codestore.connection import Call, Connection
from services.codestore.keys import check_name, collection_key, segment_key
from services.codestore.records import GenerationRef
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

LAYOUT = 3
MAX_SEGMENTS = 4096


@dataclass(frozen=True)
class Collection:
    name: str
    segments: int
    taxonomy: Taxonomy

    @property
    def key(self) -> str:
        return collection_key(self.name)

    @property
    def segment_keys(self) -> list[str]:
        return [segment_key(self.name, segment) for segment in range(self.segments)]


@dataclass(frozen=True)
class Status:
    generations: dict[str, tuple[GenerationRef, int]]
    history: tuple[str, ...]

    def ref(self, collection: str, generation_id: str) -> GenerationRef:
        if generation_id not in self.generations:
            known = ", ".join(self.generations) or "none"
            raise TaxohashError(
                f"collection {collection!r} has no generation {generation_id!r} (it has: {known}): begin it first"
            )
        return self.generations[generation_id][0]


class CollectionReader:
    """Opens collections over one connection, each once, and reads their state. The parts of the store build on it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._collections: dict[str, Collection] = {}

    def _open(self, collection: str) -> Collection:
        if collection not in self._collections:
            key = collection_key(check_name("collection", collection))
            layout, segments, taxonomy = self._connection.call(Call("collection", key, read_only=True))
            if layout is None:
                raise TaxohashError(
                    f"there is no collection {collection!r} in {self._connection.url}: create it first"
                )
            if int(layout) != LAYOUT:
                raise TaxohashError(
                    f"collection {collection!r} has layout {int(layout)}, this program reads {LAYOUT}: use the version that made it"
                )
            tree = Taxonomy.from_json(taxonomy.decode(), f"of collection {collection!r}")
            self._collections[collection] = Collection(collection, int(segments), tree)
        return self._collections[collection]

    def _counts(self, opened: Collection, generation_ids: Sequence[str]) -> list[int]:
        calls = [Call("counts", key, tuple(generation_ids), read_only=True) for key in opened.segment_keys]
        return [sum(column) for column in zip(*self._connection.call_all(calls), strict=True)]

    def _status(self, opened: Collection) -> Status:
        flat, history = self._connection.call(Call("status", opened.key, read_only=True))
        generations: dict[str, tuple[GenerationRef, int]] = {}
        for name, value in zip(flat[::2], flat[1::2], strict=True):
            bits, taxonomy_sha256, created = value.decode().split()
            generations[name.decode()] = (
                GenerationRef(name.decode(), int(bits), taxonomy_sha256),
                int(created),
            )
        return Status(generations, tuple(name.decode() for name in history))
