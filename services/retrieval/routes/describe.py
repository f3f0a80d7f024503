"""What is served: the taxonomy, the generation, and some items to start from."""

from starlette.requests import Request
from starlette.responses import Response

from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.service import service_of


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


async def examples(request: Request) -> Response:
    """At most 24 items to start from."""
    service = service_of(request)
    served = service.taken()
    return _json(await service.descriptions.told("examples", served, served.engine.examples))


def _json(told: bytes) -> Response:
    return Response(told, media_type="application/json")


ENDPOINTS = [
    Endpoint("GET", "/v1/taxonomy", taxonomy, "taxonomy", "search"),
    Endpoint("GET", "/v1/generation", generation, "generation", "search"),
    Endpoint("GET", "/v1/examples", examples, "examples", "search"),
]
