"""The code store: a catalog, generations of codes for it, and the one that is published.

A collection is spread over segments by a hash of the item id. In the slot of a segment are

    rows         hash   id -> row; rows are handed out in order and never reused
    ids:C        string ids of chunk C in the order of their rows, each ended by the byte 0xff
    labels:C     string int32 a row, -1 where it has several labels or none
    label_sets   hash   row -> int32 a label, for rows that have several
    times:C      string uint32 a row, Unix time of the last change
    uris, tags, thumbnails                   hashes row -> value, for rows that have one
    generations  hash   generation -> bits
    codes:G:C    string ceil(bits/8) bytes a row
    coded:G      string one bit a row: it has a code in G
    stream       one entry a write: operation, generation, runs of rows (uint32 first, uint32 length); no runs
                 means the whole segment. Entry ids are positions, 1-0, 2-0, ...: a gap means trimmed, so read a snapshot
    state        hash   rows, position

and in the slot of the collection its taxonomy, its generations, the history (a list whose head is the published
generation) and a stream of events. A follower takes a snapshot and reads every stream from the snapshot's position;
entries say what changed, the columns say to what. Removing an item is HDEL of its id from `rows`, clearing its bit in
`coded:G` of every generation, and a stream entry: its row stays empty until the segment is written anew.

An acknowledged write is applied by the server. What a crash can take back is the server's `appendfsync`: with `everysec`
about the last second if the machine crashes, and what came during a slow sync if the server does; nothing with `always`.
"""

from types import TracebackType

from services.codestore.catalog import Catalog
from services.codestore.codes import StoredCodes
from services.codestore.collection import LAYOUT, MAX_SEGMENTS
from services.codestore.connection import Call, Connection
from services.codestore.generations import Generations
from services.codestore.keys import check_name, collection_key
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy


class CodeStore(Catalog, StoredCodes, Generations):
    """Collections in one Redis, a replicated one or a cluster. Safe to share between threads.

    Raises (every method):
        StoreUnavailableError: the server does not answer as it should.
        TaxohashError: no such collection or generation, or the input is refused; the message says what to do.
    """

    @classmethod
    def connect(cls, url: str, *, timeout: float = 30.0) -> "CodeStore":
        """Connect to redis://, rediss:// or unix://; a cluster is recognised. `timeout` is in seconds a call."""
        return cls(Connection(url, timeout))

    def __enter__(self) -> "CodeStore":
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

    def create(self, collection: str, taxonomy: Taxonomy, segments: int = 16) -> None:
        """Make a collection; nothing happens if it exists with this taxonomy and number of segments."""
        check_name("collection", collection)
        if not 1 <= segments <= MAX_SEGMENTS:
            raise TaxohashError(
                f"collection {collection!r} cannot have {segments} segments: choose 1 to {MAX_SEGMENTS}"
            )
        args = (LAYOUT, segments, taxonomy.sha256, taxonomy.to_json())
        self._connection.call(Call("create", collection_key(collection), args))

    def taxonomy(self, collection: str) -> Taxonomy:
        """The taxonomy the collection was made with."""
        return self._open(collection).taxonomy
