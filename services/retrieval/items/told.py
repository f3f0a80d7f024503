"""Items as clients get them."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from services.codestore import HeldItem, Item, ItemLabels
from services.retrieval.item_ids import link
from services.retrieval.service import Service
from services.retrieval.stores import asked, within_seconds
from services.web.refused import RefusedError
from taxohash.identifiers import shown

if TYPE_CHECKING:
    from services.retrieval.following import Served


def links(item: Item) -> dict[str, str | None]:
    """Where more of an item is."""
    return {
        "item": link("item", item.id),
        "similar": link("similar", item.id),
        "thumbnail": link("thumbnail", item.id) if item.thumbnail else None,
        "image": link("image", item.id) if item.picture else None,
    }


async def held(service: Service, served: "Served", item_id: str) -> HeldItem:
    """An item as the generation that is served has it.

    Raises:
        RefusedError: 404, it is not there; 503, the store does not answer in time.
        StoreUnavailableError: it does not answer as it should.
    """
    async with within_seconds(service):
        found: HeldItem | None = await service.asking.run(
            partial(asked, lambda: _held(service, served, item_id))
        )
    if found is None:
        raise RefusedError(404, "item", f"there is no item {shown(item_id)}: use an id from a search")
    return found


async def told(service: Service, served: "Served", item_id: str) -> dict[str, Any]:
    """An item as a client gets it.

    Raises:
        see `held`.
    """
    found = await held(service, served, item_id)
    reason = None
    if not found.code.size:
        async with within_seconds(service):
            reason = await service.asking.run(partial(asked, lambda: _reason(service, served, item_id)))
    item, engine = found.item, served.engine
    labels = ItemLabels.of(np.array(item.labels, np.int32), np.array([len(item.labels)]))
    (described,) = engine.describe_items([item.id], labels)
    lacking = "cannot be encoded" if reason else "being encoded"
    return {
        "id": item.id,
        "generation": served.generation,
        "state": "searchable" if found.code.size else lacking,
        "reason": reason,
        "code": found.code.tobytes().hex() or None,
        "label_path": described["label_path"],
        "label_paths": described["label_paths"],
        "tags": list(item.tags),
        "metadata": dict(item.metadata),
        "origin": item.origin,
        "updated": item.updated,
        "links": links(item),
    }


def _held(service: Service, served: "Served", item_id: str) -> HeldItem | None:
    return service.store().held_items(service.settings.collection, [item_id], served.generation)[0]


def _reason(service: Service, served: "Served", item_id: str) -> str | None:
    """Why an item cannot be encoded, if it cannot."""
    return service.store().unencodable(service.settings.collection, served.generation, [item_id]).get(item_id)
