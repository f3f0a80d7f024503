"""The endpoints, by what they are about. What is not here is closed."""

from services.retrieval.routes import (
    describe,
    generations,
    health,
    items,
    lineage,
    openapi,
    page,
    search,
    status,
)
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.routes.table import Table

ENDPOINTS: list[Endpoint] = [  # the busiest first: they are tried in this order
    *search.ENDPOINTS,
    *health.ENDPOINTS,
    *page.ENDPOINTS,
    *items.ENDPOINTS,
    *describe.ENDPOINTS,
    *generations.ENDPOINTS,
    *lineage.ENDPOINTS,
    *status.ENDPOINTS,
    *openapi.ENDPOINTS,
]
TABLE = Table(ENDPOINTS)
