"""The service over items that this process has made itself: what ten millions take, without the minutes of a store's filling.

`create` makes the application that HELD in the environment describes: `kind` and `items`, see `made.codes`, and `generation`, a
folder. Routes, guards, engine and replica are the service's own; nothing is followed.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from starlette.types import ASGIApp

from benchmarks.speed.serving import made
from benchmarks.speed.serving.indexes import replica_of
from services.codestore.follower.swap import Serving
from services.retrieval.app import application
from services.retrieval.engine import Engine
from services.retrieval.following import Served, give_memory_back
from services.retrieval.service import Service
from services.retrieval.settings import Settings
from services.web import logs
from taxohash.generation.hasher import Hasher

HELD = "BENCHMARK_HELD"


class Held(Service):
    """A service of one generation that never changes."""

    def __init__(self, settings: Settings, served: Served) -> None:
        super().__init__(settings)
        self._held = served

    @property
    def served(self) -> Served:
        return self._held

    def _begin(self) -> None:
        """There is nothing to follow."""


def create() -> ASGIApp:
    """The application."""
    asked: dict[str, Any] = json.loads(os.environ[HELD])
    settings = Settings(redis_url="memory://")
    logs.configure(settings.log)
    hasher = Hasher(Path(asked["generation"]))
    numbers = np.arange(len(made.TREE), dtype=np.int32)
    replica = replica_of(made.codes(asked["kind"], asked["items"]))
    engine = Engine(hasher, replica, numbers, numbers)
    engine.warm_up()
    give_memory_back()
    return application(Held(settings, Serving(hasher.generation.id, replica, engine)))
