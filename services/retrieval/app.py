"""The application: its routes behind their guard."""

from starlette.applications import Starlette

from services.retrieval.error_answers import HANDLERS
from services.retrieval.loaded import Holder
from services.retrieval.middleware import Guard
from services.retrieval.routes import describe, items, page, search


def application(holder: Holder) -> Guard:
    """The ASGI application over what `holder` will hold. Not a Starlette itself: BentoML then leaves every path to us."""
    app = Starlette(
        routes=[*page.ROUTES, *search.ROUTES, *items.ROUTES, *describe.ROUTES], exception_handlers=HANDLERS
    )
    app.router.redirect_slashes = False
    app.state.holder = holder

    def token() -> str | None:
        return holder.loaded.settings.token if holder.loaded else None

    def generation_id() -> str:
        return holder.loaded.engine.generation.id if holder.loaded else ""

    return Guard(app, token, generation_id)
