"""Items put into the stores, changed and deleted there.

Pictures first, then the item that names them: who sees an item finds its pictures. What a picture was put for and then did
not come is removed where that is certain; where an answer was lost nobody knows, and the picture stays for the item.
"""

import asyncio
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from starlette.requests import Request

from services.codestore import Edit, Item, StoreUnavailableError, Token, WriteId, Written
from services.codestore.pictures import Pictures
from services.retrieval.asked import asked_of
from services.retrieval.form import shown
from services.retrieval.items.labelled import numbers_of
from services.retrieval.items.made import Made
from services.retrieval.items.sent import Change
from services.retrieval.items.told import links
from services.retrieval.service import Service
from services.retrieval.stores import asked, pictures_of, within_seconds
from services.web.refused import RefusedError, unavailable
from taxohash.errors import TaxohashError

if TYPE_CHECKING:
    from services.retrieval.following import Served

_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_UNSURE = "whether it was written is not known: send it again, best with an Idempotency-Key"


@dataclass(frozen=True)
class Name:
    """By which a write is known when its client sends it again; see Idempotency-Key.

    Attributes:
        who: name of the key of who asks.
        key: what the client calls its request.
    """

    who: str
    key: str

    def of(self, operation: str, item_id: str, batch: bytes) -> WriteId:
        """The store's name of a write of one item; another request for the item by this key is refused.

        Args:
            batch: what was sent of it.
        """
        told = "\0".join((self.who, self.key, item_id)).encode()
        return WriteId(f"http {hashlib.sha256(told).hexdigest()[:40]}", 0, operation.encode() + batch)


def name_of(request: Request) -> Name | None:
    """The name that a client gives to its request, if it gives one.

    Raises:
        RefusedError: 400, it is none.
    """
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise RefusedError(
            400,
            "request",
            f"Idempotency-Key is {shown(', '.join(given))}: give one of 1 to 128 visible characters",
        )
    return Name(asked_of(request.scope).caller.name, given[0])


@dataclass(frozen=True)
class Stored:
    """What became of an item that was put."""

    told: dict[str, Any]
    token: Token

    @property
    def status(self) -> int:
        """201 where it is new."""
        return 201 if self.told["new"] else 200


async def put(service: Service, served: "Served", made: Made, name: Name | None) -> Stored:
    """Store an item: in the catalogue and in every live generation, with its code in the one that is served.

    Raises:
        RefusedError, StoreUnavailableError: see `stores.asked`; 503, a store does not answer in time.
    """
    pictures = pictures_of(service) if made.pictures else None
    async with within_seconds(service, _UNSURE), service.turns.of(made.draft.id):
        return await _put(service, served, made, name, pictures)


async def edit(service: Service, served: "Served", change: Change, name: Name | None) -> dict[str, Any]:
    """Change labels or tags of an item, in the catalogue and in every live generation; its picture and codes stay.

    The store does it in one step, so that nothing is undone that another process writes meanwhile.

    Raises:
        RefusedError: 400, an unknown label; 404, it is not there; and see `put`.
    """
    collection, labels = service.settings.collection, None
    if change.labels is not None:
        labels = await service.workers.run(partial(numbers_of, served.engine, change.labels))
    edits = [Edit(change.id, labels, change.tags)]
    write = name.of("edit", change.id, change.digest) if name else None
    async with within_seconds(service, _UNSURE), service.turns.of(change.id):
        before = await _asked(service, lambda: service.store().pictures_of(collection, [change.id]))
        written: Written = await _asked(
            service, lambda: service.store().edit(collection, served.generation, edits, write=write)
        )
        # What another generation had as another picture of it, it has no more.
        after = await _asked(service, lambda: service.store().pictures_of(collection, [change.id]))
        service.unused.look(before - after)
    if written.results == ("absent",):
        raise _absent(change.id)
    return {"id": change.id, "generation": served.generation, "token": str(written.token)}


async def delete(service: Service, item_id: str, name: Name | None) -> dict[str, Any]:
    """Delete an item with its codes in every generation, and its pictures, but for those that another item names.

    Raises:
        RefusedError: 404, it is not there; and see `put`.
    """
    collection, started = service.settings.collection, asyncio.get_running_loop().time()
    write = name.of("delete", item_id, b"") if name else None
    async with within_seconds(service, _UNSURE), service.turns.of(item_id):
        looks, pictured = await _looks(service, item_id)
        written: Written = await _asked(
            service, lambda: service.store().delete(collection, [item_id], write=write)
        )
    if written.results == ("absent",):
        raise _absent(item_id)
    left = service.settings.limits.store_seconds - (asyncio.get_running_loop().time() - started)
    gone = service.pictures is not None and await service.unused.gone(looks, max(0.0, left))
    state: Literal["removed", "later"] = "removed" if gone or not pictured else "later"
    return {"id": item_id, "token": str(written.token), "pictures": state}


def _absent(item_id: str) -> RefusedError:
    return RefusedError(404, "item", f"there is no item {shown(item_id)}: use an id from a search")


async def _put(
    service: Service, served: "Served", made: Made, name: Name | None, pictures: Pictures | None
) -> Stored:
    collection, draft = service.settings.collection, made.draft
    # The store answers, and may be written, or nothing is put that would be nobody's.
    before, _ = await _looks(service, draft.id)
    digests = await _kept(service, pictures, made.pictures)
    write = name.of("put", draft.id, draft.digest) if name else None
    item = Item(
        draft.id, made.labels, tags=draft.tags, picture=digests[0], thumbnail=digests[1], pixels=made.pixels
    )
    try:
        written: Written = await _asked(
            service,
            lambda: service.store().upsert(collection, [item], {served.generation: made.code}, write=write),
        )
    except RefusedError:  # it is certain that nothing was written
        service.unused.look(set(filter(None, digests)) - before)
        raise
    await _look_again(service, item, pictures, made.pictures, write is not None)
    service.unused.look(before - set(item.looks))
    told = {
        "id": draft.id,
        "generation": served.generation,
        "code": made.code[0].tobytes().hex(),
        "new": written.results == ("added",),
        "token": str(written.token),
        "links": links(item),
    }
    return Stored(told, written.token)


async def _looks(service: Service, item_id: str) -> tuple[set[str], bool]:
    """All by which an item's pictures are known, as the catalogue and every generation has it; whether it names any in the picture store."""
    found: list[Item] = await _asked(
        service, lambda: service.store().versions(service.settings.collection, [item_id])
    )
    return {look for item in found for look in item.looks}, any(item.pictures for item in found)


async def _kept(service: Service, pictures: Pictures | None, data: tuple[bytes, ...]) -> tuple[str, str]:
    """The names of original and thumbnail in the store of pictures, where they are now."""
    if pictures is None:
        return "", ""
    original, thumbnail = await service.writing.run(partial(_put_pictures, pictures, data))
    return original, thumbnail


def _put_pictures(pictures: Pictures, data: Iterable[bytes]) -> list[str]:
    """Put them.

    Raises:
        RefusedError: 503, they are not taken.
    """
    try:
        return pictures.put_many(data)
    except StoreUnavailableError:
        raise unavailable(
            "the picture store does not take pictures: try again in a few seconds, or look at TAXOHASH_PICTURES"
        ) from None
    except TaxohashError as error:
        raise RefusedError(413, "body", str(error)) from None


async def _look_again(
    service: Service, item: Item, pictures: Pictures | None, data: tuple[bytes, ...], repeated: bool
) -> None:
    """Put pictures again that were removed while the item that names them was not there yet.

    Args:
        repeated: the write may have been made before, and the item deleted since: then they are nobody's.
    """
    if pictures is None:
        return
    collection = service.settings.collection
    if repeated:
        now = await _asked(service, lambda: service.store().item(collection, item.id))
        if now is None or now.picture != item.picture:
            service.unused.look({item.picture, item.thumbnail})
            return

    def look() -> None:
        if not all(map(pictures.has, (item.picture, item.thumbnail))):
            _put_pictures(pictures, data)

    await service.writing.run(look)


async def _asked(service: Service, work: Any) -> Any:
    return await service.writing.run(partial(asked, work))
