"""A Redis cluster on loopback, and what an operator does to it."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from services.codestore import EmbeddedServer
from tests.support.ports import free_ports

SLOTS = 16_384
_SECONDS = 60


@dataclass(frozen=True)
class Cluster:
    """Its servers, each with a client that talks to that one only."""

    servers: list[EmbeddedServer]
    clients: list[Any]

    @property
    def url(self) -> str:
        """Address of the first server."""
        return f"redis://127.0.0.1:{self.port(0)}"

    def port(self, number: int) -> int:
        port: int = self.clients[number].connection_pool.connection_kwargs["port"]
        return port

    def name(self, number: int) -> str:
        """The id of a server in the cluster."""
        name: bytes = self.clients[number].execute_command("CLUSTER", "MYID")
        return name.decode()

    def holder(self, key: str) -> int:
        """Number of the server that holds the slot of a key."""
        for number, client in enumerate(self.clients):
            with suppress(redis.ResponseError):
                client.execute_command("TYPE", key)
                return number
        raise AssertionError(f"nobody holds {key}")

    def begin_move(self, slot: int, source: int, target: int) -> None:
        """Let a slot migrate; no key moves yet."""
        self.clients[target].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", self.name(source))
        self.clients[source].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", self.name(target))

    def move_keys(self, slot: int, source: int, target: int, most: int = 1_000) -> None:
        """Move so many keys of the slot, one after the other."""
        for key in self.clients[source].execute_command("CLUSTER", "GETKEYSINSLOT", slot, most):
            self.clients[source].execute_command("MIGRATE", "127.0.0.1", self.port(target), key, 0, 10_000)

    def end_move(self, slot: int, source: int, target: int) -> None:
        """Give the slot to its new holder, which learns it first."""
        others = (number for number in range(len(self.clients)) if number not in (source, target))
        for number in (target, source, *others):
            self.clients[number].execute_command("CLUSTER", "SETSLOT", slot, "NODE", self.name(target))

    def move(self, slot: int, source: int, target: int) -> None:
        """Move a slot as redis-cli does."""
        self.begin_move(slot, source, target)
        self.move_keys(slot, source, target)
        self.end_move(slot, source, target)

    def move_at_once(self, slot: int, source: int, target: int) -> None:
        """Move a slot as Valkey 9 does by itself: atomically."""
        place = ("SLOTSRANGE", slot, slot, "NODE", self.name(target))
        self.clients[source].execute_command("CLUSTER", "MIGRATESLOTS", *place)
        deadline = time.monotonic() + _SECONDS
        while any(_holder(client, slot) != self.name(target) for client in self.clients):
            assert time.monotonic() < deadline, f"slot {slot} does not move"
            time.sleep(0.01)


@contextmanager
def running_cluster(
    folder: Path,
    primaries: int = 3,
    without_slots: int = 0,
    binary: Path | None = None,
    **settings: str | int,
) -> Iterator[Cluster]:
    """A cluster whose slots are spread over the first servers; the last ones hold none."""
    count = primaries + without_slots
    ports = free_ports(2 * count)
    with ExitStack() as stack:
        servers: list[EmbeddedServer] = []
        clients: list[Any] = []
        for number, (port, bus) in enumerate(zip(ports[:count], ports[count:], strict=True)):
            options: dict[str, str | int] = {
                "cluster-enabled": "yes",
                "cluster-port": bus,
                "cluster-announce-ip": "127.0.0.1",
                **{name.replace("_", "-"): value for name, value in settings.items()},
            }
            server = EmbeddedServer(folder / f"node{number}", port=port, binary=binary, options=options)
            servers.append(stack.enter_context(server))
            clients.append(stack.enter_context(redis.Redis(port=port)))
        for number, client in enumerate(clients):
            if number < primaries:
                first, last = SLOTS * number // primaries, SLOTS * (number + 1) // primaries - 1
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for client in clients[1:]:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0], ports[count])
        deadline = time.monotonic() + _SECONDS
        while not all(_ready(client, count) for client in clients):
            assert time.monotonic() < deadline, "the cluster does not come together"
            time.sleep(0.05)
        yield Cluster(servers, clients)


def _ready(client: Any, count: int) -> bool:
    info: dict[str, str] = client.cluster("info")
    return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == str(count)


def _holder(client: Any, slot: int) -> str:
    """Id of the server that holds a slot, as another one sees it."""
    ranges = client.execute_command("CLUSTER", "SLOTS")
    holders = (holder for first, last, holder, *_ in ranges if first <= slot <= last)
    return str(next(holders)[2].decode())
