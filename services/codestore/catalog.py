"""Items of the catalogue: they come, change and go."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from services.codestore.checks import check_edits, check_ids, check_items
from services.codestore.collection import STEP_BLOCKS, Collection, CollectionReader
from services.codestore.connection import APPLIED, Durability
from services.codestore.keys import check_name
from services.codestore.records import Edit, HeldItem, Item, Written
from services.codestore.wire import (
    ended,
    is_member,
    pack_edits,
    pack_items,
    unended,
    unpack_held,
    unpack_item,
)
from services.codestore.writers import WriteId
from taxohash.errors import TaxohashError

Codes = npt.NDArray[np.uint8]


class Catalog(CollectionReader):
    """Items of a collection."""

    def upsert(
        self,
        collection: str,
        items: Iterable[Item],
        codes: Mapping[str, Codes] | None = None,
        *,
        write: WriteId | None = None,
        durability: Durability = APPLIED,
    ) -> Written:
        """Add items, or replace those whose id is known, in the catalogue and in every live generation at once.

        An item whose picture is new is being encoded in the generations whose codes do not come with it.

        Args:
            codes: by generation, uint8[items, ceil(bits/8)].
            write: names the write, so that it is applied once even if it is sent again much later.
            durability: how safe it must be before this returns.

        Returns:
            "added" or "replaced" of each item.

        Each segment's part is atomic, in steps of five hundred items. A refused item refuses all.
        """
        listed = check_items(items)
        if not isinstance(codes, Mapping | None):
            raise TaxohashError(f"codes of items are a {type(codes).__name__}: give them by generation")

        def work(opened: Collection) -> Written:
            ids = self._checked(opened, listed)
            columns = [
                (name, self._codes_of(opened, name, given, len(ids))) for name, given in (codes or {}).items()
            ]

            def arguments(indices: npt.NDArray[np.int64]) -> list[str | bytes | int]:
                own = [(name, self._bits(opened, name), array[indices].tobytes()) for name, array in columns]
                return [
                    *pack_items([listed[i] for i in indices]),
                    *(part for generation in own for part in generation),
                ]

            return self._write(opened, "write_items", ids, arguments, write, durability)

        return self._use(collection, work)

    def edit(
        self,
        collection: str,
        generation_id: str,
        edits: Iterable[Edit],
        *,
        write: WriteId | None = None,
        durability: Durability = APPLIED,
    ) -> Written:
        """Change labels or tags of members of a generation; all else stays as that generation has it, codes included.

        As if each were read and put again, in the catalogue and in every live generation, but in one step: no write that comes
        meanwhile is undone.

        Returns:
            Of each item "replaced", or "absent" where it is no member.
        """
        listed = check_edits(edits)
        check_name("generation id", generation_id)

        def work(opened: Collection) -> Written:
            ids = self._checked(
                opened, [Item(edit.id, edit.labels or (), tags=edit.tags or ()) for edit in listed]
            )

            def arguments(indices: npt.NDArray[np.int64]) -> list[str | bytes | int]:
                return [*pack_edits([listed[i] for i in indices]), generation_id]

            return self._write(opened, "edit_items", ids, arguments, write, durability)

        return self._use(collection, work)

    def delete(
        self,
        collection: str,
        ids: Iterable[str],
        *,
        write: WriteId | None = None,
        durability: Durability = APPLIED,
    ) -> Written:
        """Remove items from the catalogue and from every generation: "deleted" or "absent" of each.

        Of an item that a data set has it is kept that it was deleted: later data versions leave it out, until it is put again.
        """
        listed = check_ids(ids, empty=False)

        def work(opened: Collection) -> Written:
            return self._write(
                opened,
                "delete_items",
                listed,
                lambda indices: [ended([listed[i] for i in indices])],
                write,
                durability,
            )

        return self._use(collection, work)

    def items(
        self, collection: str, ids: Iterable[str], generation_id: str | None = None
    ) -> list[Item | None]:
        """The catalogue's entries in order, None where there is none; as a generation has them, if one is named.

        Without a generation, the labels are those of the newest generation that has the item.
        """
        listed = check_ids(ids)
        if generation_id is not None:
            check_name("generation id", generation_id)

        def work(opened: Collection) -> list[Item | None]:
            return [
                unpack_item(item_id, reply)
                if reply is not None and (generation_id is None or is_member(reply))
                else None
                for item_id, reply in zip(listed, self._items(opened, listed, generation_id), strict=True)
            ]

        return self._use(collection, work)

    def item(self, collection: str, item_id: str, generation_id: str | None = None) -> Item | None:
        """One entry of the catalogue, or None."""
        return self.items(collection, [item_id], generation_id)[0]

    def held_items(self, collection: str, ids: Iterable[str], generation_id: str) -> list[HeldItem | None]:
        """Members of a generation with their codes there, in order, None for what is no member."""
        listed = check_ids(ids)
        check_name("generation id", generation_id)

        def work(opened: Collection) -> list[HeldItem | None]:
            return [
                unpack_held(item_id, reply) if reply is not None and is_member(reply) else None
                for item_id, reply in zip(listed, self._items(opened, listed, generation_id), strict=True)
            ]

        return self._use(collection, work)

    # -- pictures --------------------------------------------------------------------------------------

    def versions(self, collection: str, ids: Iterable[str]) -> list[Item]:
        """Items as the catalogue and as every generation has them; of one that is not there, nothing."""
        listed = check_ids(ids)

        def work(opened: Collection) -> list[Item]:
            known = [
                item_id
                for item_id, reply in zip(listed, self._items(opened, listed, None), strict=True)
                if reply is not None
            ]
            generations = [None, *self._status(opened).generations] if known else []
            return [
                unpack_item(item_id, reply)
                for generation in generations
                for item_id, reply in zip(known, self._items(opened, known, generation), strict=True)
                if reply is not None
            ]

        return self._use(collection, work)

    def pictures_of(self, collection: str, ids: Iterable[str]) -> set[str]:
        """The originals and thumbnails that items name, as the catalogue and as every generation has them."""
        return {digest for item in self.versions(collection, ids) for digest in item.pictures}

    def named_pictures(self, collection: str, digests: Iterable[str]) -> set[str]:
        """Those of some pictures that an item names, as the catalogue or a generation has it.

        Looks at all items, in steps of about a millisecond of the server's time, some seconds for a million: ask for many at
        once. What is named by a write that is made meanwhile may be missed.
        """
        wanted = set(digests)

        def work(opened: Collection) -> set[str]:
            found: set[str] = set()
            for segment in range(opened.segments):
                end = -1
                while end != 0 and found < wanted:
                    left = ended(sorted(wanted - found))
                    call = opened.on(segment, "naming", end, STEP_BLOCKS, left, read_only=True)
                    end, named = self._call(call)
                    found.update(unended(named))
            return found

        return self._use(collection, work)

    def scan(self, collection: str) -> Iterator[Item]:
        """All items, segment by segment in the order of their rows. One that changes meanwhile may be missed or come twice."""
        opened = self._use(collection, lambda opened: opened)
        for segment in range(opened.segments):
            first, blocks = 0, 1
            while first < blocks:
                call = opened.on(segment, "raw", first, STEP_BLOCKS, read_only=True)
                _position, blocks, _lost, *fields = self._call(call)
                names = [
                    name
                    for field, value in zip(fields[::2], fields[1::2], strict=True)
                    if field.startswith(b"n")
                    for name in unended(value)
                    if name
                ]
                yield from (item for item in self.items(collection, names) if item is not None)
                first += STEP_BLOCKS
