"""What a serving process is told, read once from the environment. What each is, services/settings.py says."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self, TypeVar

from services import settings
from services.settings import Setting

T = TypeVar("T")


def _of(setting: Setting[T]) -> T:
    """A field that is read from this variable."""
    read: Any = field(default=setting.default, repr=not setting.secret, metadata={"setting": setting})
    value: T = read
    return value


class _FromEnvironment:
    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read and check every variable.

        Raises:
            TaxohashError: one has a value that cannot be, or is not read any more.
        """
        settings.refuse_gone(environment)
        values = {}
        for own in fields(cls):  # type: ignore[arg-type]  # of dataclasses only
            read: Any = own.metadata["setting"].of if own.metadata else own.default_factory.from_environment  # type: ignore[union-attr]
            values[own.name] = read(environment)
        return cls(**values)


@dataclass(frozen=True)
class Limits(_FromEnvironment):
    """What one request, and all requests together, may take."""

    body_bytes: int = _of(settings.MAX_BODY_BYTES)
    pixels: int = _of(settings.MAX_PIXELS)
    side: int = _of(settings.MAX_SIDE)
    upload_seconds: float = _of(settings.UPLOAD_SECONDS)
    upload_rate: int = _of(settings.UPLOAD_RATE)
    uploads: int = _of(settings.MAX_UPLOADS)
    uploads_bytes: int = _of(settings.UPLOADS_BYTES)
    requests: int = _of(settings.MAX_REQUESTS)
    decoders: int = _of(settings.DECODERS)
    decode_seconds: float = _of(settings.DECODE_SECONDS)
    threads: int = _of(settings.THREADS)
    answer_seconds: float = _of(settings.ANSWER_SECONDS)
    store_seconds: float = _of(settings.STORE_SECONDS)
    k: int = _of(settings.MAX_K)


@dataclass(frozen=True)
class Door(_FromEnvironment):
    """What connections may take, and how long a service that ends waits for them."""

    connections: int = _of(settings.MAX_CONNECTIONS)
    header_seconds: float = _of(settings.HEADER_SECONDS)
    keepalive_seconds: float = _of(settings.KEEPALIVE_SECONDS)
    drain_seconds: float = _of(settings.DRAIN_SECONDS)


@dataclass(frozen=True)
class Sampling(_FromEnvironment):
    """Which pictures that are searched for are kept, how many, and for how long."""

    share: float = _of(settings.SAMPLE_SHARE)
    most: int = _of(settings.SAMPLE_CAP)
    most_bytes: int = _of(settings.SAMPLE_BYTES)
    seconds: float = _of(settings.SAMPLE_TTL)


@dataclass(frozen=True)
class Settings(_FromEnvironment):
    """What a serving process is told."""

    redis_url: str | None = _of(settings.REDIS_URL)
    admin_redis_url: str | None = _of(settings.ADMIN_REDIS_URL)
    collection: str = _of(settings.COLLECTION)
    generation: str | None = _of(settings.GENERATION)
    generations: str | None = _of(settings.GENERATIONS)
    pin: str | None = _of(settings.PIN)
    pictures: str | None = _of(settings.PICTURES)
    cache: str | None = _of(settings.CACHE)
    api_keys_file: str | None = _of(settings.API_KEYS_FILE)
    allow_anonymous: str = _of(settings.ALLOW_ANONYMOUS)
    cors_origins: tuple[str, ...] = _of(settings.CORS_ORIGINS)
    lag_seconds: float = _of(settings.LAG_SECONDS)
    objective_seconds: float = _of(settings.SEARCH_OBJECTIVE)
    stale_seconds: float | None = _of(settings.STALE_SECONDS)
    canary_seconds: float = _of(settings.CANARY_SECONDS)
    log: str = _of(settings.LOG)
    limits: Limits = field(default_factory=Limits)
    door: Door = field(default_factory=Door)
    sampling: Sampling = field(default_factory=Sampling)
