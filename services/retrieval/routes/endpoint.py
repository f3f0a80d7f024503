"""One route, and who may use it."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from services.retrieval.access import Access


class Endpoint(NamedTuple):
    """A route.

    Attributes:
        name: in the metrics.
        access: public: everybody; otherwise a key of this role, or of one that has more.
        parameters, body, told: what its query string, its body and its answer look like, where they are JSON or a form.
        takes: content types of its body; that of a form has the parameters and a file `image`.
        pictures: how many such files at most.
        named_files: a form has the fields of its body instead, as JSON, and the files that they name.
        gives: content type of its answer.
        may_lack: there may be none, 404.
        tagged: its answer has an entity tag, and who names that has it already, 304.
    """

    method: str
    path: str
    answer: Callable[[Request], Awaitable[Response]]
    name: str
    access: Access
    parameters: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    told: type[BaseModel] | None = None
    takes: tuple[str, ...] = ("application/json",)
    gives: str = "application/json"
    pictures: int = 1
    named_files: bool = False
    may_lack: bool = False
    tagged: bool = False
