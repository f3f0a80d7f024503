"""Where sampled queries are kept: a folder of the store of pictures, one for each collection.

    ADDRESS/sampled/COLLECTION/WHEN-DIGEST-PIXELS-CHANCE    WHEN in Unix seconds, DIGEST the sha256 of the picture, PIXELS their hash; see `facts`

Many processes may write, read and remove there at once: nothing is changed once it is written, and who finds that something
has gone meanwhile passes it over.
"""

import os
from collections.abc import Collection, Iterator, Mapping

from services.codestore.keys import check_name
from services.codestore.pictures import MAX_PICTURE, Pictures, digest_of
from services.codestore.places import Place
from services.codestore.sampled.facts import SampledQuery, file_of, query_in
from services.codestore.sampled.kept import Kept, kept_of, name_of
from taxohash.errors import TaxohashError

FOLDER = "sampled"

_FACTS_BYTES = 1 << 20
_DRAFT_SECONDS = 3600.0  # after which what a process was writing when it was killed is nobody's


class SampledQueries:
    """Those of one collection. Safe to share between threads, not with a forked process.

    Raises (every method):
        StoreUnavailableError: no such bucket, no permission, no space, no answer.
    """

    def __init__(self, place: Place, collection: str) -> None:
        """Look at nothing yet.

        Args:
            place: the store of pictures.

        Raises:
            TaxohashError: the collection has no name that can be.
        """
        self._place = place
        self._folder = f"{FOLDER}/{check_name('collection', collection)}"

    @classmethod
    def from_environment(
        cls, collection: str, environment: Mapping[str, str] = os.environ
    ) -> "SampledQueries":
        """Those in the store of pictures that TAXOHASH_PICTURES names.

        Raises:
            TaxohashError: see Pictures.from_environment.
        """
        return cls(Pictures.from_environment(environment).place, collection)

    @property
    def address(self) -> str:
        """Where they are, without secrets."""
        return f"{self._place.address}/{self._folder}"

    def keep(self, query: SampledQuery) -> Kept:
        """Keep one: it is whole, and on disk, when this returns.

        Raises:
            TaxohashError: the picture has no bytes, or more than a store of pictures takes.
        """
        if not 0 < len(query.picture) <= MAX_PICTURE:
            raise TaxohashError(
                f"a sampled query has {len(query.picture)} bytes: keep it to 1 to {MAX_PICTURE}"
            )
        data, when, pixels = file_of(query), query.facts.when, query.facts.pixels
        name = name_of(when, digest := digest_of(query.picture), pixels)
        self._place.write(self._path(name), data)
        return Kept(when, digest, pixels, name, len(data), float(when))

    def kept(self) -> list[Kept]:
        """What there is, the oldest first; nothing of it is read."""
        return sorted(filter(None, map(kept_of, self._place.entries(self._folder))))

    def queries(
        self, since: float = 0.0, before: float = float("inf"), most: int | None = None
    ) -> Iterator[SampledQuery]:
        """The sampled queries that there are now, the oldest first, one in memory at a time.

        What goes meanwhile, or cannot be read any more, is passed over.

        Args:
            since, before: only those asked in this time, in Unix seconds, the second excluded.
            most: only so many, the newest of them.
        """
        found = [one for one in self.kept() if since <= one.when < before]
        for one in found if most is None else found[max(0, len(found) - most) :]:
            if (query := self.read(one)) is not None:
                yield query

    def read(self, one: Kept) -> SampledQuery | None:
        """What was kept; None where it has gone, or is damaged."""
        data = self._place.read(self._path(one.name), MAX_PICTURE + _FACTS_BYTES)
        if data is None:
            return None
        try:
            query = query_in(data)
        except TaxohashError:
            return None
        return query if digest_of(query.picture) == one.digest else None

    def remove(self, one: Kept) -> None:
        """Remove one; nothing happens where it has gone."""
        self._place.remove(self._path(one.name))

    def forget(self, looks: Collection[str]) -> int:
        """Remove those of some pictures, by the sha256 of their bytes or the hash of their pixels, in hex; how many there were."""
        found = [one for one in self.kept() if one.digest in looks or one.pixels in looks] if looks else []
        for one in found:
            self.remove(one)
        return len(found)

    def remove_drafts(self, now: float) -> None:
        """Remove what killed processes left half written; it was never seen as a query."""
        for entry in self._place.entries(self._folder):
            if entry.is_file and entry.name.startswith(".") and entry.written + _DRAFT_SECONDS < now:
                self._place.remove(self._path(entry.name))

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"
