"""The code store: a catalogue of items, generations of codes for them, and the pointer to the published generation.

A collection is spread over segments by a hash of the item id. A segment is three keys of one slot, which always exist and
are declared by every call, so that Redis Cluster itself refuses to use a segment that is being moved:

    taxohash:{C:3}           hash    blocks of 74 rows, index of ids, what few items have, checksums, counts, position
    taxohash:{C:3}:changes   stream  one entry a write: the rows it changed. Entry ids are positions, 1-0, 2-0, ...: a gap means
                                     trimmed, so read the segment anew
    taxohash:{C:3}:writers   hash    what each writer did last, so that a write that is sent again is not applied again

and a collection has a hash (taxonomy versions, generations, history of the pointer), a stream (the audit), a hash of where
generations come from, and a sorted set (leases); and for backfills a hash (who encodes what) and, of each generation, a hash of the pictures in quarantine. See lua/*.lua
for every field. A follower reads pages of all segments, then what changed since: entries say which rows, the blocks say to what.
Rows of deleted items are given to new ones, and `gc` packs what is loose.

What an acknowledged write survives is its durability: see `Durability` and `promises`.
"""

import re
import secrets
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from services.codestore.catalog import Catalog
from services.codestore.codes import StoredCodes
from services.codestore.collection import LAYOUT, MAX_SEGMENTS, Collection, Hints, Server
from services.codestore.connection import Call, Connection, promises
from services.codestore.figures import Figures
from services.codestore.image import Images
from services.codestore.keys import channel, check_name, collection_keys, segment_keys
from services.codestore.labels import LabelNumbers
from services.codestore.origins import Origins
from services.codestore.turns import Turns
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

_ALL_KEYS = 1 << 30  # of a server: a segment has three, so that they are few, and one call tells them all


class CodeStore(Catalog, StoredCodes, Figures, Images, Origins, Turns):
    """Collections in one Redis, a replicated one or a cluster, or in this process. Safe to share between threads.

    Raises (every method):
        StoreUnavailableError: the server does not answer as it should.
        TaxohashError: no such collection or generation, or the input is refused; the message says what to do.
    """

    @classmethod
    def connect(cls, url: str, *, timeout: float = 30.0) -> Self:
        """Connect to redis://, rediss:// or unix://; a cluster is recognised. `memory://` is a store of this process alone.

        Args:
            timeout: seconds a call.
        """
        if url.startswith("memory://"):
            from services.codestore.memory import MemoryConnection

            return cls(MemoryConnection())
        return cls(Connection(url, timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def ping(self) -> None:
        """Return when the server answers."""
        self._connection.ping()

    @property
    def server(self) -> Server:
        """What makes the calls."""
        return self._connection

    def promises(self) -> list[str]:
        """What the settings of the servers cannot promise, a line each."""
        return promises(self._connection)

    def create(self, collection: str, taxonomy: Taxonomy, segments: int = 16) -> None:
        """Make a collection; nothing happens if it exists with this number of segments and this taxonomy or a version of it.

        A segment should hold some ten thousand items: it is what a cluster moves at once.
        """
        check_name("collection", collection)
        if isinstance(segments, bool) or not isinstance(segments, int) or not 1 <= segments <= MAX_SEGMENTS:
            raise TaxohashError(
                f"collection {collection!r} cannot have {segments} segments: choose 1 to {MAX_SEGMENTS}"
            )
        labels = LabelNumbers.first(taxonomy)
        args = (secrets.token_hex(16), LAYOUT, segments, labels.to_json(), "")
        incarnation, made = self._connection.call(Call("make", collection_keys(collection), args))
        if not made:
            keys = [segment_keys(collection, segment) for segment in range(segments)]
            self._connection.call_all([Call("make_segment", own, (incarnation,)) for own in keys])
            self._connection.call(Call("made", collection_keys(collection), (incarnation,)))
        self._collections.pop(collection, None)
        self._open(collection).labels.version_of(taxonomy.sha256)

    def exists(self, collection: str) -> bool:
        """Whether there is such a collection, made to its end."""
        call = Call("collection", collection_keys(check_name("collection", collection)), (), True)
        return self._connection.call(call)[3] is not None

    def collections(self) -> list[str] | None:
        """The names of all collections on these servers, ascending; None where this account may not look at what keys there are."""
        names = set[str]()
        asked = ("SCAN", 0, "MATCH", "taxohash:{*}", "COUNT", _ALL_KEYS)
        for _, reply in self._connection.on_primaries(*asked):
            if not isinstance(reply, list) or reply[0] != b"0":
                return None
            found = (re.fullmatch(r"taxohash:\{([^{}:]+)\}", key.decode()) for key in reply[1])
            names |= {match[1] for match in found if match}
        return sorted(names)

    def grow(
        self,
        collection: str,
        taxonomy: Taxonomy,
        renamed: Mapping[tuple[str, ...], tuple[str, ...]] | None = None,
        *,
        who: str = "",
        why: str = "",
    ) -> LabelNumbers:
        """Make a taxonomy the newest version of the collection's; see `LabelNumbers.grown`. Generations of older ones go on."""

        def work(opened: Collection) -> LabelNumbers:
            grown = opened.labels.grown(taxonomy, renamed)
            self._connection.call(opened.call("grow", opened.labels.to_json(), grown.to_json(), who, why))
            return grown

        self._collections.pop(collection, None)
        grown = self._use(collection, work)
        self._collections.pop(collection, None)
        return grown

    def labels(self, collection: str) -> LabelNumbers:
        """The label numbers of the collection, in all versions of its taxonomy, as they are now."""
        self._collections.pop(collection, None)
        return self._open(collection).labels

    def taxonomy(self, collection: str) -> Taxonomy:
        """The newest version of the collection's taxonomy."""
        return self.labels(collection).taxonomy

    def segments(self, collection: str) -> int:
        """How many segments the collection has."""
        return self._open(collection).segments

    def subscribe(self, collection: str) -> Hints:
        """Listen to hints: `segment position` after a write, `published` after the pointer moved."""
        return self._connection.subscribe(channel(check_name("collection", collection)))
