"""What is served: the taxonomy, the generation, numbers, a map of codes, some items to start from; and what who asks may do."""

import hashlib
import json
import math
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response

from services.codestore import CodeStore, StoreUnavailableError
from services.retrieval.asked import asked_of
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.routes.generations import told_by_store
from services.retrieval.routes.known import is_known
from services.retrieval.schemas.describe import (
    ExamplesTold,
    GenerationTold,
    MapTold,
    RightsTold,
    StatsTold,
    TaxonomyTold,
)
from services.retrieval.service import service_of
from services.web.refused import RefusedError


async def taxonomy(request: Request) -> Response:
    """The label tree, with the number of items under each node."""
    service = service_of(request)
    served = service.taken()
    return _json(await service.descriptions.told("taxonomy", served, served.engine.describe_taxonomy))


async def generation(request: Request) -> Response:
    """What is served: hasher, data, codes, evaluation."""
    service = service_of(request)
    served = service.taken()
    collection = {"collection": service.settings.collection}
    return _json(
        await service.descriptions.told(
            "generation", served, lambda: served.engine.describe_generation() | collection
        )
    )


async def codes_map(request: Request) -> Response:
    """A map of the codes: how a code is placed on it, and up to 2,000 items with their places. 404 where the generation has none."""
    service = service_of(request)
    served = service.taken()
    told = await service.descriptions.told("map", served, served.engine.describe_map)
    headers = {"Cache-Control": "private, no-cache", "ETag": f'"{hashlib.sha256(told).hexdigest()[:32]}"'}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(told, media_type="application/json", headers=headers)


async def rights(request: Request) -> Response:
    """What who asks may do, of which a page shows no more."""
    role = asked_of(request.scope).caller.role
    publishes = role == "admin" and service_of(request).admin is not None
    return _json(json.dumps({"role": role, "publishes": publishes}).encode())


async def examples(request: Request) -> Response:
    """At most 24 items to start from."""
    service = service_of(request)
    served = service.taken()
    return _json(await service.descriptions.told("examples", served, served.engine.examples))


async def stats(request: Request) -> Response:
    """What is served in numbers: items, codes, where they came from, bytes, and how old they are."""
    service = service_of(request)
    served = service.taken()
    told = json.loads(await service.descriptions.told("stats", served, served.engine.describe_numbers))
    collection, standing, by_origin = service.settings.collection, service.standing(), None

    def count(store: CodeStore) -> dict[str, int]:
        members = [tally.members for tally in store.tallies(collection)]
        api = sum(own.get("", 0) for own in members)
        return {"api": api, "data": sum(own.get(served.generation, 0) for own in members) - api}

    with suppress(StoreUnavailableError, RefusedError):  # what is in memory is told without it
        by_origin = await told_by_store(service, service.store, count)
    age = standing.age_seconds
    told |= {
        "collection": collection,
        "by_origin": by_origin,
        "age_seconds": round(age, 3) if math.isfinite(age) else None,
        "lag_seconds": round(standing.lag_seconds, 3),
    }
    return _json(json.dumps(told).encode())


def _json(told: bytes) -> Response:
    return Response(told, media_type="application/json")


ENDPOINTS = [
    Endpoint("GET", "/v1/taxonomy", taxonomy, "taxonomy", "search", told=TaxonomyTold),
    Endpoint("GET", "/v1/generation", generation, "generation", "search", told=GenerationTold),
    Endpoint("GET", "/v1/stats", stats, "stats", "search", told=StatsTold),
    Endpoint("GET", "/v1/map", codes_map, "map", "search", told=MapTold, may_lack=True, tagged=True),
    Endpoint("GET", "/v1/rights", rights, "rights", "search", told=RightsTold),
    Endpoint("GET", "/v1/examples", examples, "examples", "search", told=ExamplesTold),
]
