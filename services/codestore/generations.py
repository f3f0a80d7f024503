"""Which generation is served, which were, and which are only staged."""

from services.codestore.collection import CollectionReader
from services.codestore.connection import Call
from services.codestore.keys import check_name
from services.codestore.records import GenerationRef, GenerationState
from taxohash.errors import TaxohashError


class Generations(CollectionReader):
    """The generations of a collection and the pointer to the published one."""

    def publish(self, collection: str, generation_id: str) -> str | None:
        """Serve this generation from now on; the one that was served before it, or None.

        Refused while an item of the catalog has no code in it. Items added later are found once they have one.
        """
        opened = self._open(collection)
        self._status(opened).ref(collection, generation_id)
        items, codes = self._counts(opened, [generation_id])
        if codes < items:
            raise TaxohashError(
                f"generation {generation_id!r} lacks the codes of {items - codes} of the {items} items"
                f" in {collection!r}: put their codes first"
            )
        previous: bytes | None = self._connection.call(Call("publish", opened.key, (generation_id,)))
        return None if previous is None else previous.decode()

    def rollback(self, collection: str) -> str:
        """Serve the generation published before the current one again; its id.

        Items that were added since and have no code in it are not found until they get one.
        """
        opened = self._open(collection)
        history = self._status(opened).history
        if len(history) < 2:
            current = f"only {history[0]!r}" if history else "nothing"
            raise TaxohashError(
                f"collection {collection!r} has {current} published: there is none to roll back to"
            )
        self._connection.call(Call("rollback", opened.key, history[:2]))
        return history[1]

    def published(self, collection: str) -> GenerationRef | None:
        """The generation that is served, or None."""
        status = self._status(self._open(collection))
        return status.ref(collection, status.history[0]) if status.history else None

    def history(self, collection: str) -> list[str]:
        """Published generations, the current one first: the way that rollback goes."""
        return list(self._status(self._open(collection)).history)

    def generations(self, collection: str) -> list[GenerationState]:
        """All generations, the oldest first."""
        opened = self._open(collection)
        status = self._status(opened)
        known = sorted(status.generations.values(), key=lambda pair: (pair[1], pair[0].id))
        counts = self._counts(opened, [ref.id for ref, _ in known])[1:]
        current, earlier = status.history[:1], status.history[1:]
        return [
            GenerationState(
                ref=ref,
                codes=codes,
                state="published" if ref.id in current else "retired" if ref.id in earlier else "staged",
                created=created,
            )
            for (ref, created), codes in zip(known, counts, strict=True)
        ]

    def discard(self, collection: str, generation_id: str) -> None:
        """Delete a generation's codes; never those of the published one. Interrupted, it can be called again."""
        opened = self._open(collection)
        check_name("generation id", generation_id)
        self._connection.call(Call("discard", opened.key, (generation_id,)))
        self._connection.call_all([Call("drop", key, (generation_id,)) for key in opened.segment_keys])
        self._connection.call(Call("forget", opened.key, (generation_id,)))
