"""The code store that is served from: the one that is named, or one of our own, kept for as long as we run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from services import settings


@contextmanager
def store_url(environment: Mapping[str, str]) -> Iterator[str]:
    """Address of the code store. One of our own outlives the workers, so that each finds what the one before it wrote.

    Raises:
        TaxohashError: our own does not start.
    """
    if url := settings.REDIS_URL.of(environment):
        yield url
        return
    from services.codestore.embedded import EmbeddedServer  # with redis, which nobody else here needs

    with EmbeddedServer(users_store(environment)) as server:
        yield server.url


def users_store(environment: Mapping[str, str]) -> Path:
    """Where our own store keeps its data: `taxohash/store` in $XDG_DATA_HOME or ~/.local/share."""
    data = Path(environment.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
    return data / "taxohash" / "store"
