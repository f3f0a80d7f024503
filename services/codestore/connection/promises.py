"""What the settings of the servers cannot promise."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from services.codestore.connection.settings import fields, setting


class Servers(Protocol):
    """What can ask every server."""

    def on_primaries(self, *parts: str | bytes | int | float) -> list[tuple[str, Any]]: ...


def promises(connection: Servers) -> list[str]:
    """A line for each thing that the settings of the servers cannot promise; none if all is well.

    Raises:
        StoreUnavailableError: a server does not answer.
    """
    information = connection.on_primaries("INFO")
    policies = connection.on_primaries("CONFIG", "GET", "appendfsync")
    return [
        f"code store {address}: {line}"
        for (address, info), (_, policy) in zip(information, policies, strict=True)
        for line in _doubts(fields(info), setting(policy))
    ]


def _doubts(info: Mapping[str, str], appendfsync: str) -> Iterator[str]:
    if not info:
        yield "this account may not read its settings (INFO), so that nothing is known of its durability"
        return
    if info.get("aof_enabled") == "0":
        yield "appendonly is off, so that a restart loses what was written since the last snapshot: set it to yes"
    elif appendfsync == "unknown":
        yield "this account may not read appendfsync (CONFIG GET): what a crash of the machine loses is not known"
    elif appendfsync != "always":
        lost = "about the last second" if appendfsync == "everysec" else "what the system has not written yet"
        yield f"appendfsync is {appendfsync}, so that a crash loses {lost} of writes that were only applied"
    if info.get("aof_last_write_status") == "err":
        yield "its last write to the append-only file failed: see its log"
    if info.get("connected_slaves") == "0":
        yield "no replica is connected, so that no write can be replicated"
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        yield f"maxmemory-policy is {policy}, so that it may throw data away when memory is full: set noeviction"
    if info.get("maxmemory") == "0":
        yield "maxmemory is 0, so that it is killed when memory is full: set it below what the machine has"
