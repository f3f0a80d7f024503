"""The page for people. Its files are read once: nothing here waits for a disk, and no path leads to another file."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.retrieval.routes.endpoint import Endpoint

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOLDER = Path(__file__).resolve().parents[1] / "page"
_FILES = {file.name: file.read_bytes() for file in _FOLDER.iterdir() if file.suffix in _TYPES}


async def page(request: Request) -> Response:
    """The page for people, and its files."""
    name = request.path_params.get("name", "index.html")
    if name not in _FILES:
        raise HTTPException(404)
    kind = _TYPES[Path(name).suffix]
    return Response(_FILES[name], media_type=kind, headers={"Cache-Control": "no-cache"})


ENDPOINTS = [
    Endpoint("GET", "/", page, "page", "public", gives="text/html"),
    Endpoint("GET", "/page/{name}", page, "page", "public", gives="*/*"),
]
