"""The servers that the code store is promised for. Every one of them is tested, alone and as a cluster."""

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from benchmarks.common import servers
from benchmarks.common.servers import REDIS_7, REDIS_8, SERVERS, VALKEY
from taxohash.errors import TaxohashError
from tests.support.ports import free_port

__all__ = ["REDIS_7", "REDIS_8", "SERVERS", "VALKEY"]

_ANSWER_SECONDS = 30.0


def binary(server: str) -> Path:
    """The program of one of SERVERS. Where it is not installed, the test is skipped, and fails in CI."""
    try:
        return servers.program(server)
    except TaxohashError as error:
        _without(str(error))


def client_binary() -> Path:
    """redis-cli, of Debian's Redis 7.0. Where it is not unpacked, the test is skipped, and fails in CI."""
    try:
        return servers.unpacked("redis-cli")
    except TaxohashError as error:
        _without(str(error))


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


def _without(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
