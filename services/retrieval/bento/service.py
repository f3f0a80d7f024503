"""The BentoML service around the application, for `bentoml serve`: one process, one application.

`taxohash serve` runs the same application behind guards that BentoML's server lacks, see docs/serving.md.
"""

import signal
from dataclasses import replace
from pathlib import Path

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from services.processes import end_with_parent
from services.retrieval.app import application
from services.retrieval.service import Service
from services.retrieval.settings import Settings
from services.web import logs
from taxohash.errors import TaxohashError


class Application:
    """The ASGI application of this process, from its start on; importing this module, as building a Bento does, starts nothing."""

    def __init__(self) -> None:
        self.service: Service | None = None
        self._app: ASGIApp | None = None

    def begin(self, service: Service) -> None:
        """Be the application over a service."""
        self.service, self._app = service, application(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app, "BentoML answers no request before the service is made"
        await self._app(scope, receive, send)


app = Application()


class LineBreaks:
    """ASGI middleware: a path with a line break, which no mount of Starlette's matches, is answered by us all the same."""

    def __init__(self, around: ASGIApp) -> None:
        self._around = around

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and "\n" in scope["path"]
        await (app if ours else self._around)(scope, receive, send)


@bentoml.asgi_app(app, path="/")
@bentoml.service(
    name="taxohash-retrieval",
    workers=1,  # each would hold all codes: scale by replicas
    http={"host": "127.0.0.1", "port": 3000},
    metrics={"enabled": False},  # ours, see metrics.py
    logging={"access": {"enabled": False}},
    envs=[{"name": "OTEL_SDK_DISABLED", "value": "true"}, {"name": "BENTOML_DO_NOT_TRACK", "value": "true"}],
)
class Retrieval:
    """Search by picture in the codes of the published generation."""

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def refuse_bad_settings() -> None:
        """Before any worker starts.

        Raises:
            SystemExit: with one line that says what is wrong.
        """
        try:
            Service(Settings.from_environment())
        except TaxohashError as error:
            raise SystemExit(f"taxohash: {error}") from None

    def __init__(self) -> None:
        end_with_parent(signal.SIGKILL)  # BentoML leaves its workers behind when it is killed
        settings = Settings.from_environment()
        logs.configure(settings.log)
        app.begin(Service(replace(settings, generation=settings.generation or packed())))

    def __is_alive__(self) -> bool:
        return True

    def __is_ready__(self) -> bool:
        service = app.service
        return service is not None and service.status(service.standing()) == "ready"

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def start(self) -> None:
        """Begin to load; until a generation is there, the process is alive and not ready."""
        assert app.service
        await app.service.start()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        """End threads and processes."""
        assert app.service
        await app.service.stop()


Retrieval.add_asgi_middleware(LineBreaks)  # type: ignore[attr-defined]  # the decorator made it a Service


def packed() -> str | None:
    """The folder of the generation in the Bento that is served; None where it is served from the sources."""
    bento = Retrieval.bento  # type: ignore[attr-defined]  # the decorator made it a Service
    if bento is None:
        return None
    (model,) = bento.info.all_models
    return str(Path(model.to_model().resolve().path))
