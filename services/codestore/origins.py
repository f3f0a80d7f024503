"""Where generations come from: a text of each, of those who made it, which stays when the generation is removed.

It is kept in the store, beside the audit of who published what, so that whoever can ask the one can ask the other.
"""

from services.codestore.collection import CollectionReader
from services.codestore.keys import check_name, origins_key
from taxohash.errors import TaxohashError

MOST_BYTES = 256 << 10


class Origins(CollectionReader):
    """Of the generations of a collection."""

    def note_origin(self, collection: str, generation_id: str, text: str) -> None:
        """Say where a generation comes from, in the place of what was said before.

        Raises:
            TaxohashError: it says too much.
        """
        key = origins_key(self._use(collection, lambda opened: opened).name)
        if len(data := text.encode()) > MOST_BYTES:
            raise TaxohashError(
                f"the origin of generation {generation_id!r} has {len(data):,} bytes: keep it to {MOST_BYTES:,}"
            )
        self._connection.command("HSET", key, check_name("generation id", generation_id), data, key=key)

    def origin(self, collection: str, generation_id: str) -> str | None:
        """What was said of where a generation comes from; None where nobody said it."""
        key = origins_key(self._use(collection, lambda opened: opened).name)
        data = self._connection.command("HGET", key, check_name("generation id", generation_id), key=key)
        return None if data is None else bytes(data).decode(errors="replace")
