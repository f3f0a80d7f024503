"""The generations of the collection: which there are, and for admins which is published."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.codestore import CodeStore, StoreUnavailableError
from services.codestore.generations import AuditEntry
from services.retrieval.bodies import json_of
from services.retrieval.json_body import object_of
from services.retrieval.late_store import LateStore
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.schemas.base import M, checked
from services.retrieval.schemas.describe import GenerationsTold, MoveBody, Moved, PublishBody
from services.retrieval.service import Service, service_of
from services.web.refused import RefusedError, unavailable
from taxohash.errors import TaxohashError

T = TypeVar("T")

_MOVES = ("publish", "rollback")
_AUDITED = 1000  # moves and removals that are gone through


async def generations(request: Request) -> Response:
    """The generations of the collection: their state, and who published them, when and why."""
    service = service_of(request)
    served = service.served
    work = partial(_generations, service.settings.collection, served.generation if served else None)
    return JSONResponse(await told_by_store(service, service.store, work))


async def publish(request: Request) -> Response:
    """Publish a generation that is sealed; the store decides whether it may be."""
    service, generation = service_of(request), request.path_params["generation"]
    body, admin = await _asked(request, PublishBody), _admin(service)

    def work(store: CodeStore) -> dict[str, Any]:
        collection = service.settings.collection
        before = store.publish(collection, generation, who=body.who, why=body.why, instead_of=body.instead_of)
        return {"published": generation, "previous": before}

    return JSONResponse(await told_by_store(service, admin, work, refused=409))


async def rollback(request: Request) -> Response:
    """Publish the generation again that was published before."""
    service = service_of(request)
    body, admin = await _asked(request, MoveBody), _admin(service)

    def work(store: CodeStore) -> dict[str, Any]:
        collection = service.settings.collection
        before = store.published(collection)
        now = store.rollback(collection, who=body.who, why=body.why)
        return {"published": now, "previous": before.id if before else None}

    return JSONResponse(await told_by_store(service, admin, work, refused=409))


async def told_by_store(
    service: Service, store: LateStore, work: Callable[[CodeStore], T], refused: int = 503
) -> T:
    """What a code store says, asked in a thread of those that wait for it.

    Args:
        refused: the status where it answers, and does not do it.

    Raises:
        RefusedError: `refused`, in its own words where the client is to blame; 503, it is late; 429, too many ask.
        StoreUnavailableError: it does not answer as it should.
    """

    def asked() -> T:
        try:
            return work(store())
        except StoreUnavailableError:
            raise
        except TaxohashError as error:
            if refused == 409:
                raise RefusedError(409, "conflict", str(error)) from None
            raise StoreUnavailableError(str(error)) from None  # what it says of the collection is for the log

    seconds = service.settings.limits.store_seconds
    try:
        async with asyncio.timeout(seconds):  # waiting for a thread, connecting and repeating are in it
            return await service.asking.run(asked)
    except TimeoutError:
        raise unavailable(
            f"the code store does not answer within {seconds:g} seconds (TAXOHASH_STORE_SECONDS): "
            "look at /v1/generations, and try again"
        ) from None


def _generations(collection: str, served: str | None, store: CodeStore) -> dict[str, Any]:
    state, moves = store.state(collection), _last_moves(store.audit(collection, _AUDITED))
    return {
        "collection": collection,
        "published": state.history[0] if state.history else None,
        "previous": state.history[1] if len(state.history) > 1 else None,
        "generations": [
            {
                "id": own.ref.id,
                "bits": own.ref.bits,
                "state": own.state,
                "live": own.live,
                "created": _time(own.created),
                "members": own.members,
                "codes": own.codes,
                "quarantined": own.quarantined,
                "served": own.ref.id == served,
                "published": moves.get(own.ref.id),
            }
            for own in state.generations
        ],
    }


def _last_moves(audit: list[AuditEntry]) -> dict[str, dict[str, Any]]:
    """Of each generation how the pointer came to it last; the audit has the newest first."""
    moves: dict[str, dict[str, Any]] = {}
    for entry in audit:
        if entry.operation in _MOVES and entry.generation not in moves:
            moves[entry.generation] = {
                "operation": entry.operation,
                "when": _time(entry.when),
                "who": entry.who,
                "why": entry.why,
            }
    return moves


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _admin(service: Service) -> LateStore:
    if service.admin is None:
        raise RefusedError(
            404,
            "path",
            "nothing is published here: set TAXOHASH_ADMIN_REDIS_URL to the code store as its admin, or use `taxohash store publish`",
        )
    return service.admin


async def _asked(request: Request, model: type[M]) -> M:
    """The body of a request, as a model has it."""
    json_of(request.headers.getlist("content-type"))
    async with service_of(request).uploads.read(request.headers, request.receive) as body:
        return checked(model, object_of(body))


ENDPOINTS = [
    Endpoint("GET", "/v1/generations", generations, "generations", "search", told=GenerationsTold),
    Endpoint(
        "POST",
        "/v1/generations/{generation}/publish",
        publish,
        "publish",
        "admin",
        body=PublishBody,
        told=Moved,
    ),
    Endpoint("POST", "/v1/rollback", rollback, "rollback", "admin", body=MoveBody, told=Moved),
]
