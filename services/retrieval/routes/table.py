"""The table of endpoints: what is not in it is closed."""

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.schemas.items import Nothing
from services.retrieval.schemas.parameters import pairs_of, read_pairs


class Found(NamedTuple):
    """What a request asks for.

    Attributes:
        endpoint: None where there is none for this path and method.
        allowed: methods of the first path that it is, where that does not have this one.
    """

    endpoint: Endpoint | None
    allowed: tuple[str, ...] = ()


class Table:
    """Endpoints, as they are decided about and as they are answered.

    Attributes:
        endpoints: in order.
        routes: theirs. What `find` finds is what a router over them answers: they are asked alike, so that no path is
            read in two ways.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self.routes = [
            Route(endpoint.path, _strict(endpoint), methods=[endpoint.method], name=endpoint.name)
            for endpoint in endpoints
        ]

    def find(self, scope: Scope) -> Found:
        """The endpoint that a router over these routes answers with."""
        path, allowed = "", set[str]()  # the path of an item's part would do for an item too
        for endpoint, route in zip(self.endpoints, self.routes, strict=True):
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return Found(endpoint)
            if match is Match.PARTIAL and path in ("", endpoint.path):
                path = endpoint.path
                allowed |= route.methods or set()
        return Found(None, tuple(sorted(allowed)))


def _strict(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """Its answer; where it takes no parameters only to requests without any. The address of a page is its own."""
    if endpoint.access == "public" or endpoint.parameters is not None:
        return endpoint.answer

    @wraps(endpoint.answer)
    async def answer(request: Request) -> Response:
        read_pairs(Nothing, pairs_of(request.scope["query_string"]))
        return await endpoint.answer(request)

    return answer
