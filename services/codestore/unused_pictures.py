"""Pictures that no item names any more are removed from the store of pictures.

That may be shared by the collections of one code store, as the user's own are: all that this account may look for are asked.
Where some pictures are removed, one that cannot be read, such as one that is half restored, names nothing.
"""

from collections.abc import Iterable

from services.codestore.connection import StoreUnavailableError
from services.codestore.pictures import DAY, Pictures
from services.codestore.store import CodeStore
from services.codestore.wire import pictures_in
from taxohash.errors import TaxohashError


def remove_unused(store: CodeStore, collection: str, pictures: Pictures, digests: Iterable[str]) -> list[str]:
    """Remove those of some pictures that no item names; their names.

    One that was put again while items were looked at is spared, as an item may name it by now. What is put between the last
    look and the removal is lost: who has written an item looks whether its pictures are there.

    Args:
        collection: is asked in any case.
    """
    before = {digest: pictures.written(digest) for digest in set(digests)}
    there = {digest for digest, written in before.items() if written is not None}
    unused = sorted(there - _named(store, collection, there))
    removed = [digest for digest in unused if pictures.written(digest) == before[digest]]
    for digest in removed:
        pictures.delete(digest)
    return removed


def sweep_unused(store: CodeStore, collection: str, pictures: Pictures, grace: float = DAY) -> int:
    """Remove all pictures that no item names and that are older than `grace` seconds; how many were.

    Such as those of a write whose answer was lost. The names of all pictures in use are held in memory.

    Args:
        collection: is asked in any case.
    """
    used: set[str] = set()
    for name in _collections(store, collection):
        opened, _ = store.described(name)
        for segment in range(opened.segments):
            for page in store.pages(opened, segment):
                used |= pictures_in(page.fields)
    return pictures.sweep(used, grace)


def _named(store: CodeStore, collection: str, digests: set[str]) -> set[str]:
    """Those of some pictures that an item of any collection names."""
    named = store.named_pictures(collection, digests)
    for name in _collections(store, collection):
        if name != collection:
            try:
                named |= store.named_pictures(name, digests - named)
            except StoreUnavailableError:
                raise
            except TaxohashError:
                continue
    return named


def _collections(store: CodeStore, collection: str) -> list[str]:
    return sorted({collection, *(store.collections() or ())})
