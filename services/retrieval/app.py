"""The application: its routes behind their guard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from services.retrieval.middleware import Guard
from services.retrieval.problems import HANDLERS
from services.retrieval.routes import TABLE
from services.retrieval.routes.table import Table
from services.retrieval.service import Service
from services.retrieval.settings import Settings
from services.web import logs


def application(service: Service, table: Table = TABLE) -> Guard:
    """The ASGI application over a service, which starts and stops with it.

    Not a Starlette itself: BentoML then leaves every path to us.

    Args:
        table: what it answers.
    """

    @asynccontextmanager
    async def living(_: Starlette) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = Starlette(routes=table.routes, exception_handlers=HANDLERS, lifespan=living)
    app.router.redirect_slashes = False
    app.state.service, app.state.table = service, table
    return Guard(app, service, table)


def create() -> Guard:
    """The application as the environment describes it.

    Raises:
        TaxohashError: a setting has a value that cannot be.
    """
    settings = Settings.from_environment()
    logs.configure(settings.log)
    return application(Service(settings))
