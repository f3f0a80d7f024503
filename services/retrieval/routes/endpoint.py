"""One route, and who may use it."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from services.retrieval.access import Access


class Endpoint(NamedTuple):
    """A route.

    Attributes:
        name: in the metrics.
        access: public: everybody; otherwise a key of this role, or of one that has more.
    """

    method: str
    path: str
    answer: Callable[[Request], Awaitable[Response]]
    name: str
    access: Access
