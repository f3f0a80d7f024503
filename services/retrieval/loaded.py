"""What the routes work with, once it is there."""

from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from services import metrics
from services.codestore import CodeStore
from services.codestore.pictures import Pictures, users_folder
from services.retrieval.engine import Engine
from services.retrieval.errors import RefusedError
from services.retrieval.settings import Settings
from services.retrieval.workers import Workers

_STORE_SECONDS = 5.0  # a thumbnail that takes longer is given up


@dataclass(frozen=True)
class Loaded:
    """What the routes work with.

    Attributes:
        pictures: None where the settings name no store and there is none among the user's data.
    """

    settings: Settings
    engine: Engine
    store: CodeStore
    pictures: Pictures | None
    workers: Workers

    @classmethod
    def open(cls, settings: Settings, folder: Path) -> "Loaded":
        """Load the generation in `folder` with its codes.

        Raises:
            TaxohashError: see Engine.open and Pictures.open.
        """
        pictures = open_pictures(settings)
        store = CodeStore.connect(settings.redis_url, timeout=_STORE_SECONDS)
        try:
            engine = Engine.open(folder, store, settings)
        except BaseException:
            store.close()
            raise
        metrics.CODES_LOADED.labels(engine.generation.id).set(len(engine))
        return cls(settings, engine, store, pictures, Workers(settings.limits))

    def close(self) -> None:
        """Let go of threads and connections."""
        self.workers.close()
        self.store.close()


@dataclass
class Holder:
    """Where the loaded generation is found; None until the service has started."""

    loaded: Loaded | None = None


def open_pictures(settings: Settings) -> Pictures | None:
    """The picture store that the settings name, or the one among the user's data, or None where neither is.

    Raises:
        TaxohashError: see Pictures.open.
    """
    if settings.pictures:
        return Pictures.open(settings.pictures)
    folder = users_folder()
    return Pictures.open(folder) if folder.is_dir() else None


def loaded_of(request: Request) -> Loaded:
    """What the application of this request has loaded.

    Raises:
        RefusedError: 503, nothing yet.
    """
    loaded: Loaded | None = request.app.state.holder.loaded
    if loaded is None:
        raise RefusedError(
            503, "loading", "codes are still being loaded: try again in a moment", {"Retry-After": "2"}
        )
    return loaded
