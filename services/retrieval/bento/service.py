"""The BentoML service: one process, one generation."""

import gc
from pathlib import Path

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from services.codestore import CodeStore
from services.retrieval.app import application
from services.retrieval.engine import refuse_mismatch
from services.retrieval.loaded import Holder, Loaded, open_pictures
from services.retrieval.settings import Settings
from taxohash.errors import TaxohashError
from taxohash.generation.manifest import Generation

holder = Holder()
app = application(holder)


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
    """Search by picture in the codes of one generation."""

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def refuse_what_cannot_serve() -> None:
        """Before any worker starts: the published generation must be the model's, and pictures be where they are said to be.

        Raises:
            SystemExit: with one line that says what is wrong.
        """
        try:
            settings = Settings.from_environment()
            generation = Generation.load(generation_folder(settings))
            open_pictures(settings)
            with CodeStore.connect(settings.redis_url) as store:
                where = f"collection {settings.collection!r}"
                refuse_mismatch(generation, store.published(settings.collection), where)
        except TaxohashError as error:
            raise SystemExit(f"taxohash: {error}") from None

    def __init__(self) -> None:
        settings = Settings.from_environment()
        holder.loaded = Loaded.open(settings, generation_folder(settings))
        # What is loaded stays: the collector need not walk it again and again while requests wait.
        gc.collect()
        gc.freeze()

    def __is_alive__(self) -> bool:
        return True

    def __is_ready__(self) -> bool:
        return holder.loaded is not None

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def close(self) -> None:
        """Let go of threads and connections."""
        if holder.loaded is not None:
            holder.loaded.close()
            holder.loaded = None


Retrieval.add_asgi_middleware(LineBreaks)  # type: ignore[attr-defined]  # the decorator made it a Service


def generation_folder(settings: Settings) -> Path:
    """The folder that the settings name, else the model packed in the Bento.

    Raises:
        TaxohashError: neither is there.
    """
    if settings.generation is not None:
        return Path(settings.generation)
    bento = Retrieval.bento  # type: ignore[attr-defined]  # the decorator made it a Service
    if bento is None:
        raise TaxohashError(
            "TAXOHASH_GENERATION is not set: set it to the folder of a generation, or serve a Bento"
        )
    (model,) = bento.info.all_models
    return Path(model.to_model().resolve().path)
