"""The page for people."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

_PAGE = Path(__file__).resolve().parents[1] / "page"


async def page(request: Request) -> Response:
    name = request.path_params.get("name", "index.html")
    if name not in ("index.html", "page.css", "page.js", "icon.svg"):
        raise HTTPException(404)
    return FileResponse(_PAGE / name, headers={"Cache-Control": "no-cache"})


ROUTES = [Route("/", page, name="page"), Route("/page/{name}", page, name="page")]
