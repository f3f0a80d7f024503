"""The catalog: items by id, whatever generations there are."""

from collections.abc import Iterable

from services.codestore.checks import check_ids, check_item
from services.codestore.collection import CollectionReader
from services.codestore.connection import Call
from services.codestore.keys import segment_key, segments_of
from services.codestore.records import Item
from services.codestore.wire import batches, by_segment, pack_items, unpack_item


class Catalog(CollectionReader):
    """Items of a collection."""

    def put_items(self, collection: str, items: Iterable[Item]) -> int:
        """Add items, or replace those whose id is known; how many were new.

        Written in batches as the iterable is read; a refused item leaves the batches before it.
        """
        opened = self._open(collection)
        labels = len(opened.taxonomy)
        added = 0
        for batch in batches(check_item(item, labels) for item in items):
            latest = list({item.id: item for item in batch}.values())
            segments = segments_of([item.id for item in latest], opened.segments)
            calls = [
                Call("put_items", segment_key(collection, segment), pack_items([latest[i] for i in indices]))
                for segment, indices in by_segment(segments)
            ]
            added += sum(new for _position, new in self._connection.call_all(calls))
        return added

    def item(self, collection: str, item_id: str) -> Item | None:
        """The catalog's entry, or None."""
        reply = self._connection.call(self._of_item("item", collection, item_id))
        return None if reply is None else unpack_item(item_id, reply)

    def thumbnail(self, collection: str, item_id: str) -> bytes | None:
        """The thumbnail's bytes; None when the item or its thumbnail is not there."""
        reply: bytes | None = self._connection.call(self._of_item("thumbnail", collection, item_id))
        return reply

    def _of_item(self, function: str, collection: str, item_id: str) -> Call:
        check_ids([item_id])
        segment = segments_of([item_id], self._open(collection).segments)[0]
        return Call(function, segment_key(collection, int(segment)), (item_id,), read_only=True)
