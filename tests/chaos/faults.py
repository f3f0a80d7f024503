"""Faults, and the schedule of them: which comes when follows from the seed. Each is over when its function returns."""

import random
import time
from collections.abc import Callable
from contextlib import suppress

import redis

from services.codestore.connection.topology import slot_of
from services.codestore.keys import collection_keys, segment_keys
from tests.chaos.contents import COLLECTION, SEGMENTS
from tests.chaos.places import Node, Place
from tests.chaos.proxy import Unkind
from tests.support.waiting import until

Fault = Callable[[Place, random.Random], None]

_BALLAST = 150_000  # keys that make a start long
_LOADING_MICROSECONDS = 8  # a key


def faults_of(place: Place) -> dict[str, Fault]:
    """The faults that can come in a place."""
    found: dict[str, Fault] = {
        "server killed": killed,
        "server frozen": frozen,
        "connections cut": connections_cut,
        "functions flushed": flushed,
        "memory full": full,
        "changes trimmed": trimmed,
    }
    if place.proxies:
        found |= {
            "answers lost": _unkind("loses"),
            "bytes delayed": _unkind("delays"),
            "bytes halved": _unkind("halves"),
            "bytes garbled": _unkind("garbles"),
            "long loading": long_loading,
        }
    if place.scenario == "replica":
        del found["long loading"]
        found |= {"failover": failed_over, "primary read-only": read_only}
    if place.cluster:
        found |= {"slot moved by key": moved_by_key, "slot moved atomically": moved_atomically}
    return found


def killed(place: Place, chance: random.Random) -> None:
    """kill -9 of a server that has acknowledged nothing that is not on disk."""
    node = chance.choice(place.nodes)
    node.kill()
    time.sleep(chance.uniform(0.0, 0.5))
    place.restart(node)


def long_loading(place: Place, chance: random.Random) -> None:
    """A start that takes seconds, while clients are told LOADING."""
    node = place.nodes[0]
    if not node.client.exists("ballast:0"):
        for first in range(0, _BALLAST, 10_000):
            node.client.mset({f"ballast:{number}": "x" for number in range(first, first + 10_000)})
    node.server._options["key-load-delay"] = _LOADING_MICROSECONDS
    killed(place, chance)


def frozen(place: Place, chance: random.Random) -> None:
    """SIGSTOP for up to three seconds."""
    with chance.choice(place.nodes).frozen():
        time.sleep(chance.uniform(0.1, 3.0))


def connections_cut(place: Place, chance: random.Random) -> None:
    """All connections of clients end, some between a write and its answer."""
    for _ in range(10):
        for node in place.nodes:
            with suppress(redis.RedisError):
                node.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        time.sleep(chance.uniform(0.0, 0.2))


def flushed(place: Place, chance: random.Random) -> None:
    """The function library is removed again and again."""
    for _ in range(20):
        _on_primaries(place, lambda node: node.client.function_flush())
        time.sleep(chance.uniform(0.0, 0.1))


def full(place: Place, chance: random.Random) -> None:
    """maxmemory falls below what is in use, and is lifted; functions may be lost as well."""
    try:
        for node in place.nodes:
            used = node.client.info("memory")["used_memory"]
            node.client.config_set("maxmemory", max(used - chance.choice((100_000, 1_000)), 1_000_000))
        if chance.random() < 0.3:
            _on_primaries(place, lambda node: node.client.function_flush())
        time.sleep(chance.uniform(0.2, 2.0))
    finally:
        for node in place.nodes:
            node.client.config_set("maxmemory", 0)


def trimmed(place: Place, _chance: random.Random) -> None:
    """The streams of changes lose all entries: who follows must read the segments anew."""
    for segment in range(SEGMENTS):
        stream = segment_keys(COLLECTION, segment)[1]
        for node in place.nodes:
            with suppress(redis.RedisError):  # not its slot, or a replica
                node.client.xtrim(stream, maxlen=0, approximate=False)


def read_only(place: Place, chance: random.Random) -> None:
    """The address that writers have leads to the replica for a while. Readers stay, as a replica may be behind."""
    primary, replica = place.nodes
    proxy = place.proxies[0]
    for node in (replica, primary):
        proxy.target = node.port
        proxy.cut()
        time.sleep(chance.uniform(0.1, 1.5))


def failed_over(place: Place, chance: random.Random) -> None:
    """The replica is promoted; what only the primary had is lost."""
    place.fail_over(chance.choice((0.0, 0.0, 0.3)))


def moved_by_key(place: Place, chance: random.Random) -> None:
    """SETSLOT MIGRATING and IMPORTING, and key after key; one of the two servers may be killed half way."""
    slot, source, target = _slot(place, chance)
    cluster = place.the_cluster
    cluster.begin_move(slot, source, target)
    for most in (1, 1, 1_000):
        time.sleep(chance.uniform(0.0, 0.3))
        cluster.move_keys(slot, source, target, most)
        _perhaps_killed(place, chance, (source, target))
    time.sleep(chance.uniform(0.0, 0.3))
    cluster.end_move(slot, source, target)


def moved_atomically(place: Place, chance: random.Random) -> None:
    """Valkey 9's CLUSTER MIGRATESLOTS, until it has succeeded or failed; one of the two servers may be killed meanwhile."""
    slot, source, target = _slot(place, chance)
    client = place.the_cluster.clients[source]
    name = place.the_cluster.name(target)
    client.execute_command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", name)
    _perhaps_killed(place, chance, (source, target))
    until(lambda: not any(map(_is_under_way, client.execute_command("CLUSTER", "GETSLOTMIGRATIONS"))))


def _perhaps_killed(place: Place, chance: random.Random, numbers: tuple[int, int]) -> None:
    if chance.random() < 0.15:
        node = place.nodes[chance.choice(numbers)]
        node.kill()
        place.restart(node)
        place.await_cluster()


def _is_under_way(job: object) -> bool:
    return not any(state in str(job) for state in ("success", "failed", "cancelled"))


def _slot(place: Place, chance: random.Random) -> tuple[int, int, int]:
    """A slot of the collection, the number of the node that holds it, and of another one."""
    place.await_cluster()
    keys = [collection_keys(COLLECTION)[0]]
    keys += [segment_keys(COLLECTION, segment)[0] for segment in range(SEGMENTS)]
    key = chance.choice(keys)
    source = place.the_cluster.holder(key)
    return slot_of(key), source, chance.choice([n for n in range(len(place.nodes)) if n != source])


def _unkind(kind: Unkind) -> Fault:
    def fault(place: Place, chance: random.Random) -> None:
        for proxy in place.proxies[: 1 if kind == "garbles" else 2]:
            proxy.unkind = kind
        time.sleep(chance.uniform(0.5, 2.5))
        for proxy in place.proxies:
            proxy.unkind = ""

    return fault


def _on_primaries(place: Place, act: Callable[[Node], object]) -> None:
    for node in place.nodes:
        with suppress(redis.ReadOnlyError):
            act(node)
