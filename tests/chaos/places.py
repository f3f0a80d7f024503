"""Where the store runs: one server, a primary with a replica, or a cluster; with all that can be done to them."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import inf
from pathlib import Path
from typing import Any

import redis

from services.codestore import EmbeddedServer
from tests.chaos.proxy import Proxy
from tests.support import servers
from tests.support.cluster import Cluster, running_cluster
from tests.support.ports import free_port
from tests.support.waiting import until

SCENARIOS = ("valkey", "redis8", "redis7", "replica", "cluster")
_BINARIES = {"redis8": servers.REDIS_8, "redis7": servers.REDIS_7}


class Node:
    """A server that can be killed and comes back with its data. All it acknowledges is on disk."""

    def __init__(self, server: EmbeddedServer, port: int) -> None:
        self.server = server
        self.port = port
        self.client: Any = redis.Redis(port=port, socket_timeout=20.0)

    def kill(self) -> None:
        """kill -9."""
        os.kill(self.server.pid, signal.SIGKILL)
        assert self.server._process
        self.server._process.wait(20)
        self.server.stop()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stopped, as a machine that swaps is: connections stay."""
        pid = self.server.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


class Place:
    """What the clients know, and what is behind it.

    Attributes:
        url: of writers, by way of a proxy where there is no cluster.
        reader_url: of readers, by another one, which never garbles.
        proxies: of writers and of readers.
        nodes: the servers, the primary first.
        failovers: when there was one; infinite while one is under way.
    """

    def __init__(
        self, scenario: str, nodes: list[Node], proxies: list[Proxy], cluster: Cluster | None
    ) -> None:
        self.scenario = scenario
        self.nodes = nodes
        self.proxies = proxies
        self.cluster = cluster
        self.failovers: list[float] = []
        ports = [proxy.port for proxy in proxies] or [nodes[0].port, nodes[1].port]
        self.url, self.reader_url = (f"redis://127.0.0.1:{port}" for port in ports)

    @property
    def durabilities(self) -> tuple[str, ...]:
        """Of the writers, in turn."""
        return ("replicated(1)", "applied") if self.scenario == "replica" else ("applied", "fsynced")

    @property
    def the_cluster(self) -> Cluster:
        """The cluster, where there is one."""
        assert self.cluster
        return self.cluster

    def await_cluster(self) -> None:
        """Wait until all servers of the cluster answer, and agree that it is whole."""
        until(lambda: all(_told(node, "cluster").get("cluster_state") == "ok" for node in self.nodes))

    def heal(self) -> None:
        """Nothing is unkind any more, every address leads to the primary, and no byte is under way on an old connection."""
        for proxy in self.proxies:
            proxy.target = self.nodes[0].port
            proxy.unkind = ""
            proxy.cut()

    def restart(self, node: Node) -> None:
        """Start a server that was killed, and wait until it has its data; a replica asks its primary for them."""
        node.server.start()
        if self.scenario == "replica" and node is self.nodes[1]:
            follow(node, self.nodes[0])

    def fail_over(self, parted_seconds: float) -> None:
        """The primary dies, its replica takes over, and the dead one comes back as the replica.

        Args:
            parted_seconds: how long the old primary goes on taking writes when the replica has left it.
        """
        primary, replica = self.nodes
        await_replica(replica)
        self.failovers.append(inf)  # from now on nobody can tell what is lost
        replica.client.replicaof("NO", "ONE")
        time.sleep(parted_seconds)
        primary.kill()
        self.nodes.reverse()
        if (
            not parted_seconds
        ):  # else the writers' address follows later, so that what is lost is seen before it is written over
            self.heal()
        self.restart(primary)
        self.failovers[-1] = time.monotonic()


def follow(replica: Node, primary: Node) -> None:
    """Make a server the replica of another, and wait until it has all of it."""
    replica.client.replicaof("127.0.0.1", primary.port)
    await_replica(replica)


def await_replica(replica: Node) -> None:
    """Wait until a replica has all that its primary has."""
    until(lambda: _told(replica, "replication").get("master_link_status") == "up")


def _told(node: Node, section: str) -> dict[str, str]:
    """What a server says of itself; nothing where it does not answer, or loads its data."""
    try:
        found: dict[str, str] = (
            node.client.cluster("info") if section == "cluster" else node.client.info(section)
        )
    except redis.RedisError:
        return {}
    return found


@contextmanager
def running(scenario: str, folder: Path, seed: int) -> Iterator[Place]:
    """The servers of a scenario, with `appendfsync always`."""
    with ExitStack() as stack:
        if scenario == "cluster":
            cluster = stack.enter_context(
                running_cluster(
                    folder, without_slots=1, appendfsync="always", cluster_allow_replica_migration="no"
                )
            )
            nodes = [Node(server, cluster.port(number)) for number, server in enumerate(cluster.servers)]
            yield Place(scenario, nodes, [], cluster)
            return
        binary = servers.binary(_BINARIES.get(scenario, servers.VALKEY))
        nodes = []
        for number in range(2 if scenario == "replica" else 1):
            port = free_port()
            server = EmbeddedServer(folder / f"node{number}", fsync="always", port=port, binary=binary)
            nodes.append(Node(stack.enter_context(server), port))
        if scenario == "replica":
            follow(nodes[1], nodes[0])
        proxies = [stack.enter_context(Proxy(nodes[0].port, seed + number)) for number in range(2)]
        yield Place(scenario, nodes, proxies, None)
