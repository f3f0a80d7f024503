"""Several items put at once, each with a result of its own."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from services.codestore import StoreUnavailableError, Token
from services.retrieval.items.made import Made, made_of
from services.retrieval.items.sent import Draft
from services.retrieval.items.written import Name, Stored, put
from services.retrieval.service import Service
from services.web.problems import NO_STORE, told_of
from services.web.refused import RefusedError, unavailable

if TYPE_CHECKING:
    from services.retrieval.following import Served

_AT_ONCE = 4  # items of one batch that are decoded and encoded
_OUT_OF_TIME = unavailable("there was no time left for this item: send it again")

Drafting = tuple[str | None, Callable[[], Draft]]


def rounds_of(items: int) -> int:
    """How many of so many items are made one after the other."""
    return max(1, -(-items // _AT_ONCE))


async def all_made(
    service: Service, served: "Served", drafts: Sequence[Drafting]
) -> list[Made | RefusedError]:
    """What is stored of each item, or why nothing is. On the loop aside."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(draft: Callable[[], Draft]) -> Made | RefusedError:
        async with room:
            try:
                return await made_of(service, served, await service.workers.run(draft))
            except RefusedError as refused:
                return refused

    return list(await asyncio.gather(*(one(draft) for _, draft in drafts)))


async def put_all(
    service: Service,
    served: "Served",
    ids: Sequence[str | None],
    made: Sequence[Made | RefusedError],
    name: Name | None,
) -> dict[str, Any]:
    """Store each item that may be; one after the other, so that a store that does not answer is asked once.

    Returns:
        The answer, see schemas.items.BatchTold.
    """
    ends = asyncio.get_running_loop().time() + service.settings.limits.answer_seconds
    token: Token | None = None
    results: list[dict[str, Any]] = []
    away: RefusedError | None = None
    for item_id, own in zip(ids, made, strict=True):
        if not isinstance(own, RefusedError):
            away = away or (_OUT_OF_TIME if asyncio.get_running_loop().time() > ends else None)
            found = away or await _stored(service, served, own, name)
        else:
            found = own
        if isinstance(found, RefusedError):
            results.append({"id": item_id, "status": found.status, "problem": told_of(found)})
            if found is not own and found.status >= 500:
                away = found
        else:
            results.append({"id": item_id, "status": found.status, "put": found.told})
            token = found.token if token is None else token | found.token
    return {
        "generation": served.generation,
        "token": None if token is None else str(token),
        "results": results,
    }


async def _stored(service: Service, served: "Served", made: Made, name: Name | None) -> Stored | RefusedError:
    try:
        return await put(service, served, made, name)
    except RefusedError as refused:
        return refused
    except StoreUnavailableError:
        return NO_STORE
