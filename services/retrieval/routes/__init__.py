"""The endpoints, by what they are about. What is not here is closed."""

from services.retrieval.routes import describe, health, items, page, search
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.routes.table import Table

ENDPOINTS: list[Endpoint] = [
    *health.ENDPOINTS,
    *page.ENDPOINTS,
    *search.ENDPOINTS,
    *items.ENDPOINTS,
    *describe.ENDPOINTS,
]
TABLE = Table(ENDPOINTS)
