"""The pages for people. Their files are read once: nothing here waits for a disk, and no path leads to another file."""

import hashlib
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.routes.known import is_known

FOLDER = Path(__file__).resolve().parents[1] / "page"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {file.name: file.read_bytes() for file in FOLDER.iterdir() if file.suffix in _TYPES}
_TAGS = {name: f'"{hashlib.sha256(data).hexdigest()[:16]}"' for name, data in _FILES.items()}


async def page(request: Request) -> Response:
    """The page for people, and its files."""
    return _file(request, request.path_params.get("name", "index.html"))


async def status_page(request: Request) -> Response:
    """The page of how the service does: whether all is well, a few figures and curves."""
    return _file(request, "status.html")


def _file(request: Request, name: str) -> Response:
    if name not in _FILES:
        raise HTTPException(404)
    # Asked for each time: a page of modules is of one release, whole.
    headers = {"Cache-Control": "no-cache", "ETag": _TAGS[name]}
    if is_known(request, _TAGS[name]):
        return Response(status_code=304, headers=headers)
    return Response(_FILES[name], media_type=_TYPES[Path(name).suffix], headers=headers)


ENDPOINTS = [
    Endpoint("GET", "/", page, "page", "public", gives="text/html", tagged=True),
    Endpoint("GET", "/status", status_page, "status-page", "public", gives="text/html", tagged=True),
    Endpoint("GET", "/page/{name}", page, "page", "public", gives="*/*", tagged=True),
]
