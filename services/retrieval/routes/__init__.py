"""The endpoints, by what they are about. What is not here is closed."""

from starlette.routing import Route

from services.retrieval.routes import describe, health, items, page, search
from services.retrieval.routes.endpoint import Endpoint

ENDPOINTS: list[Endpoint] = [
    *health.ENDPOINTS,
    *page.ENDPOINTS,
    *search.ENDPOINTS,
    *items.ENDPOINTS,
    *describe.ENDPOINTS,
]
ROUTES = [
    Route(endpoint.path, endpoint.answer, methods=[endpoint.method], name=endpoint.name)
    for endpoint in ENDPOINTS
]
