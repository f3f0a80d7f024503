"""The one way to the server: a connection to one Redis or to a cluster, and calls of the store's functions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

from services.codestore import functions
from taxohash.errors import TaxohashError

_PIPELINE = 32  # calls sent at once; bounds what a bulk write holds in memory


class StoreUnavailableError(TaxohashError):
    """The server cannot be reached or cannot take the command now: nothing is wrong with the input."""


@dataclass(frozen=True)
class Call:
    """A server-side function, the key that decides its slot, and its arguments."""

    function: str
    key: str
    args: Sequence[str | bytes | int] = ()
    read_only: bool = False

    @property
    def command(self) -> tuple[Any, ...]:
        verb = "FCALL_RO" if self.read_only else "FCALL"
        return (verb, functions.full_name(self.function), 1, self.key, *self.args)


def redacted(url: str) -> str:
    """The URL without user and password."""
    return re.sub(r"(?<=password=)[^&]*", "***", re.sub(r"//.*@", "//***@", url))


def _is_unknown_function(reply: object) -> bool:
    return isinstance(reply, redis.ResponseError) and str(reply).lower().startswith("function not found")


class Connection:
    """Calls functions; loads them where the server does not have them yet. Safe to share between threads.

    Raises (every method):
        StoreUnavailableError: no answer, wrong password, read-only, full memory or disk.
        TaxohashError: the function refused the input.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self.url = redacted(url)
        self._client = self._connect(url, timeout)
        self._cluster = isinstance(self._client, RedisCluster)

    def _connect(self, url: str, timeout: float) -> Any:
        if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
            raise TaxohashError(f"{self.url!r} is no store address: use redis://, rediss:// or unix://")
        options = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "protocol": 3}
        try:
            client = redis.Redis.from_url(
                url, retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3), **options
            )
            if not client.info("cluster").get("cluster_enabled"):
                return client
            client.close()
            return RedisCluster.from_url(url, **options)
        except ValueError:  # its text may hold the password
            raise TaxohashError(
                f"{self.url!r} is no store address: use redis://, rediss:// or unix://"
            ) from None
        except redis.RedisError as error:
            raise self._unavailable(error) from None

    def close(self) -> None:
        self._client.close()

    def ping(self) -> None:
        try:
            self._client.ping()
        except redis.RedisError as error:
            raise self._unavailable(error) from None

    def call(self, call: Call) -> Any:
        """The reply to one call."""
        return self.call_all([call])[0]

    def call_all(self, calls: Sequence[Call]) -> list[Any]:
        """Replies in order. Each call is atomic, all together are not: the others are made even if one is refused."""
        replies: list[Any] = []
        for first in range(0, len(calls), _PIPELINE):
            replies += self._call_some(calls[first : first + _PIPELINE])
        for reply in replies:
            if isinstance(reply, Exception):
                raise self._translated(reply) from None
        return replies

    def _call_some(self, calls: Sequence[Call]) -> list[Any]:
        replies = self._execute(calls)
        lost = [i for i, reply in enumerate(replies) if _is_unknown_function(reply)]
        if lost:
            self._load_functions()
            for i, reply in zip(lost, self._execute([calls[i] for i in lost]), strict=True):
                replies[i] = reply
        return replies

    def _execute(self, calls: Sequence[Call]) -> list[Any]:
        try:
            pipeline = self._client.pipeline(transaction=False)
            for call in calls:
                # In a cluster, naming the node spares redis-py a COMMAND GETKEYS with all the arguments.
                on = {"target_nodes": self._client.get_node_from_key(call.key)} if self._cluster else {}
                pipeline.execute_command(*call.command, **on)
            found: list[Any] = pipeline.execute(raise_on_error=False)
            return found
        except redis.RedisError as error:
            raise self._translated(error) from None

    def _load_functions(self) -> None:
        try:
            on = {"target_nodes": RedisCluster.PRIMARIES} if self._cluster else {}
            self._client.execute_command("FUNCTION LOAD", "REPLACE", functions.SOURCE, **on)
        except redis.RedisError as error:
            raise self._translated(error) from None

    def _translated(self, error: Exception) -> TaxohashError:
        text = str(error)
        if text.startswith("REFUSED "):
            return TaxohashError(text.removeprefix("REFUSED "))
        return self._unavailable(error)

    def _unavailable(self, error: Exception) -> StoreUnavailableError:
        text = " ".join(str(error).split())
        lowered = text.lower()
        if isinstance(error, redis.AuthenticationError) or lowered.startswith(
            ("noauth", "wrongpass", "noperm")
        ):
            remedy = "give the right user and password"
        elif isinstance(error, redis.OutOfMemoryError) or lowered.startswith("oom"):
            remedy = "raise maxmemory or discard old generations"
        elif lowered.startswith("misconf"):
            remedy = "free the disk that holds its data"
        elif isinstance(error, redis.ReadOnlyError):
            remedy = "connect to the primary, this is a replica"
        elif isinstance(error, redis.ConnectionError | redis.TimeoutError):
            remedy = "start it, or correct the address"
        else:
            remedy = "see the log of the server"
        return StoreUnavailableError(
            f"code store {self.url} does not answer as it should ({text[:200]}): {remedy}"
        )
