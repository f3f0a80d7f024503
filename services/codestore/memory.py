"""A server in this process: the same functions, in the same Lua, over dictionaries. For tests, and for notebooks without a server."""

import bisect
import fnmatch
import hashlib
import math
import queue
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from services.codestore import functions
from services.codestore.connection import APPLIED, Call, Durability
from services.codestore.connection.errors import REFUSALS
from taxohash.errors import TaxohashError

Hash = dict[bytes, bytes]
Stream = list[tuple[tuple[int, int], list[bytes]]]


class Keys:
    """The keys of the server, and the few commands on them that the functions use."""

    def __init__(self) -> None:
        self.values: dict[bytes, Any] = {}
        self.listeners: dict[bytes, list[queue.SimpleQueue[bytes]]] = {}

    def call(self, command: bytes, *args: Any) -> Any:
        """The reply to one command, as Redis gives it."""
        parts = [_bytes(part) for part in args]
        return getattr(self, f"_{command.decode().lower()}")(*parts)

    def _hash(self, key: bytes) -> Hash:
        """What is kept there; an empty one where nothing is."""
        found: Hash = self.values.get(key, {})
        return found

    def _hget(self, key: bytes, field: bytes) -> bytes | None:
        return self._hash(key).get(field)

    def _hmget(self, key: bytes, *fields: bytes) -> list[bytes | None]:
        known = self._hash(key)
        return [known.get(field) for field in fields]

    def _hset(self, key: bytes, *pairs: bytes) -> int:
        own = self.values.setdefault(key, {})
        before = len(own)
        own.update(zip(pairs[::2], pairs[1::2], strict=True))
        return len(own) - before

    def _hdel(self, key: bytes, *fields: bytes) -> int:
        own = self._hash(key)
        dropped = sum(own.pop(field, None) is not None for field in fields)
        if not own:
            self.values.pop(key, None)
        return dropped

    def _hlen(self, key: bytes) -> int:
        return len(self._hash(key))

    def _hincrby(self, key: bytes, field: bytes, amount: bytes) -> int:
        value = int(self._hget(key, field) or 0) + int(amount)
        self._hset(key, field, b"%d" % value)
        return value

    def _hscan(self, key: bytes, _cursor: bytes, *_options: bytes) -> list[Any]:
        return [b"0", [part for pair in self._hash(key).items() for part in pair]]

    def _scan(self, _cursor: bytes, _match: bytes, pattern: bytes, *_options: bytes) -> list[Any]:
        return [b"0", [key for key in self.values if fnmatch.fnmatchcase(key, pattern)]]

    def _unlink(self, *keys: bytes) -> int:
        return sum(self.values.pop(key, None) is not None for key in keys)

    def _xadd(self, key: bytes, *rest: bytes) -> bytes:
        stream: Stream = self.values.setdefault(key, [])
        most = None
        if rest[0] == b"MAXLEN":
            most, rest = int(rest[2]), rest[3:]
        last = stream[-1][0] if stream else (0, 0)
        if rest[0] == b"*":
            now = int(time.time() * 1000)
            at = max((now, 0), (last[0], last[1] + 1))
        else:
            first, _, second = rest[0].partition(b"-")
            at = (int(first), int(second))
            assert at > last, f"{key!r} has an entry {last} and was given {at}"
        stream.append((at, list(rest[1:])))
        if most is not None and len(stream) > most + 100:
            del stream[: len(stream) - most]
        return b"%d-%d" % at

    def _xlen(self, key: bytes) -> int:
        return len(self.values.get(key, []))

    def _xtrim(self, key: bytes, _how: bytes, most: bytes) -> int:
        stream: Stream = self.values.get(key, [])
        dropped = len(stream) - int(most)
        del stream[: max(dropped, 0)]
        return max(dropped, 0)

    def _xrange(self, key: bytes, first: bytes, last: bytes, *count: bytes) -> list[Any]:
        stream: Stream = self.values.get(key, [])
        start = bisect.bisect_left(stream, _entry_id(first), key=lambda entry: entry[0])
        stop = (
            len(stream)
            if last == b"+"
            else bisect.bisect_right(stream, _entry_id(last), key=lambda entry: entry[0])
        )
        if count:
            stop = min(stop, start + int(count[1]))
        return [[b"%d-%d" % at, fields] for at, fields in stream[start:stop]]

    def _xrevrange(self, key: bytes, last: bytes, first: bytes, *count: bytes) -> list[Any]:
        assert (last, first) == (b"+", b"-")
        newest: Stream = self.values.get(key, [])[::-1]
        return [[b"%d-%d" % at, fields] for at, fields in newest[: int(count[1]) if count else None]]

    def _publish(self, channel: bytes, message: bytes) -> int:
        waiting = self.listeners.get(channel, [])
        for listener in waiting:
            listener.put(message)
        return len(waiting)

    def _time(self) -> list[bytes]:
        now = time.time_ns() // 1000
        return [b"%d" % (now // 1_000_000), b"%d" % (now % 1_000_000)]

    def _info(self, *_sections: bytes) -> bytes:
        return b"aof_enabled:0\r\n"

    def _config(self, *_names: bytes) -> list[bytes]:
        return []

    def _ping(self) -> bytes:
        return b"PONG"

    def _zadd(self, key: bytes, score: bytes, member: bytes) -> int:
        own = self.values.setdefault(key, {})
        new = member not in own
        own[member] = score
        return int(new)

    def _zrem(self, key: bytes, member: bytes) -> int:
        return self._hdel(key, member)

    def _zscore(self, key: bytes, member: bytes) -> bytes | None:
        return self._hget(key, member)

    def _zrangebyscore(self, key: bytes, least: bytes, _most: bytes) -> list[bytes]:
        own = self._hash(key)
        return [
            member
            for member in sorted(own, key=lambda name: (float(own[name]), name))
            if float(own[member]) >= float(least)
        ]


class MemoryConnection:
    """A `Connection` to keys of this process alone. Every call is made under one lock."""

    url = "memory://"

    def __init__(self) -> None:
        try:
            from lupa.lua51 import LuaRuntime
        except ImportError:
            raise TaxohashError(
                "memory:// runs the server's functions by lupa, which is not installed: pip install lupa"
            ) from None
        self._lock = threading.Lock()
        self._keys = Keys()
        self._lua: Any = LuaRuntime(encoding=None, register_eval=False, register_builtins=False)
        self._functions: dict[bytes, Callable[..., Any]] = {}
        self._lua.globals()[b"redis"] = self._lua.table_from(
            {
                b"call": self._command,
                b"sha1hex": lambda text: hashlib.sha1(text).hexdigest().encode(),
                b"register_function": self._register,
            }
        )
        self._lua.globals()[b"struct"] = self._lua.table_from({b"pack": _pack, b"values": self._values})
        self._lua.execute(_PRELUDE)
        self._lua.execute(functions.SOURCE.split("\n", 1)[1].encode())

    def close(self) -> None:
        """Nothing is open; what is kept goes with the last reference."""

    def ping(self) -> None:
        """Return at once."""

    def call(self, call: Call) -> Any:
        """The reply to one call.

        Raises:
            StaleError, TaxohashError: as the function says.
        """
        return self.call_all([call])[0]

    def call_all(self, calls: Sequence[Call], durability: Durability = APPLIED) -> list[Any]:
        """Replies in order; after all were made, the first refusal is raised. Nothing is ever on a disk, or elsewhere.

        Raises:
            TaxohashError: it was asked for more than "applied".
        """
        if durability != APPLIED:
            raise TaxohashError(f"a store in memory cannot make a write {durability}: ask for applied")
        replies = []
        for call in calls:
            with self._lock:
                replies.append(self._run(call))
        for reply in replies:
            if isinstance(reply, TaxohashError):
                raise reply
        return replies

    def command(self, *parts: Any, key: str | None = None) -> Any:
        """The reply to a plain command."""
        with self._lock:
            return self._keys.call(_bytes(parts[0]), *parts[1:])

    def on_primaries(self, *parts: Any) -> list[tuple[str, Any]]:
        """The reply of the only server."""
        return [(self.url, self.command(*parts))]

    def certificate_expires(self) -> float:
        """Never: there is none."""
        return math.inf

    def subscribe(self, channel: str) -> "MemorySubscription":
        """The messages of a channel from now on."""
        return MemorySubscription(self._keys.listeners.setdefault(channel.encode(), []))

    def _run(self, call: Call) -> Any:
        function = self._functions[functions.full_name(call.function).encode()]
        keys = self._lua.table_from([key.encode() for key in call.keys])
        args = self._lua.table_from([_bytes(part) for part in call.args])
        return self._python(function(keys, args))

    def _command(self, command: bytes, *args: Any) -> Any:
        return self._to_lua(self._keys.call(command, *args))

    def _values(self, form: bytes, text: bytes, at: float) -> Any:
        return self._lua.table_from(struct.unpack_from(_form(form), text, int(at) - 1))

    def _register(self, table: Any) -> None:
        self._functions[table[b"function_name"]] = table[b"callback"]

    def _to_lua(self, value: Any) -> Any:
        if value is None:
            return False
        if isinstance(value, list):
            return self._lua.table_from([self._to_lua(part) for part in value])
        return value

    def _python(self, value: Any) -> Any:
        """A value as a client gets it: of a table what comes before the first gap, of a number its whole part."""
        if value is None or value is False:
            return None
        if isinstance(value, bool | int | float):
            return int(value)
        if isinstance(value, bytes):
            return value
        if (text := value[b"err"]) is not None:
            word, _, rest = text.decode(errors="replace").partition(" ")
            return REFUSALS.get(word, TaxohashError)(rest)
        return [self._python(value[i + 1]) for i in range(len(value))]


class MemorySubscription:
    """The messages of a channel."""

    trouble = ""

    def __init__(self, listeners: "list[queue.SimpleQueue[bytes]]") -> None:
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._listeners = listeners
        listeners.append(self._queue)

    def wait(self, seconds: float) -> list[bytes]:
        """Messages, as soon as there are some; none if none comes within so many seconds."""
        messages = []
        try:
            messages.append(self._queue.get(timeout=max(seconds, 0)))
            while True:
                messages.append(self._queue.get_nowait())
        except queue.Empty:
            return messages

    def close(self) -> None:
        """Stop listening."""
        if self._queue in self._listeners:
            self._listeners.remove(self._queue)


# What Redis gives to Lua besides `redis.call`. Python's struct has the same forms under other names.
_PRELUDE = b"""
redis.error_reply = function(text) return {err = text} end
struct.unpack = function(form, text, at) return unpack(struct.values(form, text, at or 1)) end
"""


def _form(form: bytes) -> str:
    return form.decode().replace("I4", "I").replace("i4", "i")


def _pack(form: bytes, *values: Any) -> bytes:
    return struct.pack(_form(form), *map(int, values))


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, float):
        return b"%.17g" % value
    return str(value).encode()


def _entry_id(text: bytes) -> tuple[int, int]:
    first, _, second = text.partition(b"-")
    return int(first), int(second or 0)
