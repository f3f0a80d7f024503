"""Pictures that no item names any more are removed from the store of pictures.

That may be shared by the collections of one code store, as the user's own are: all that this account may look for are asked.
Where some pictures are removed, one that cannot be read, such as one that is half restored, names nothing.
"""

from collections.abc import Iterable, Iterator

from services.codestore.connection import StoreUnavailableError
from services.codestore.pictures import DAY, DamagedPictureError, MissingPictureError, Pictures
from services.codestore.store import CodeStore
from services.codestore.wire import pictures_in
from taxohash.errors import TaxohashError

_HELD_BYTES = 64 << 20  # of pictures that are removed together


def remove_unused(store: CodeStore, collection: str, pictures: Pictures, digests: Iterable[str]) -> list[str]:
    """Remove those of some pictures that no item names; their names.

    One that was put again while items were looked at is spared, as an item may name it by now. An item that names one may be
    written until it is removed: so items are looked at once more then, and what one names is put again. Who writes an item
    later than that finds that its pictures are not there.

    Args:
        collection: is asked in any case.
    """
    before = {digest: pictures.written(digest) for digest in set(digests)}
    there = {digest for digest, written in before.items() if written is not None}
    unused = sorted(there - _named(store, collection, there))
    removed = [digest for digest in unused if pictures.written(digest) == before[digest]]
    restored: set[str] = set()
    for few in _few(removed, pictures):
        for digest in few:
            pictures.delete(digest)
        try:
            named = _named(store, collection, set(few))
        except TaxohashError:  # nobody knows: as they were
            pictures.put_many(few.values())
            raise
        for digest in named:
            pictures.put(few[digest])
            restored.add(digest)
    return [digest for digest in removed if digest not in restored]


def _few(digests: Iterable[str], pictures: Pictures) -> Iterator[dict[str, bytes]]:
    """Some pictures, so many at a time as may be held in memory."""
    few: dict[str, bytes] = {}
    for digest in digests:
        try:
            few[digest] = pictures.get(digest)
        except MissingPictureError:
            continue
        except DamagedPictureError:  # nobody misses it
            pictures.delete(digest)
            continue
        if sum(map(len, few.values())) > _HELD_BYTES:
            yield few
            few = {}
    if few:
        yield few


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
