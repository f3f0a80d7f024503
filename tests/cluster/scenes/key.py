"""An API key is rotated: the new one is put beside the old one, clients change over, the old one goes."""

import time

from services.retrieval.access import keys
from tests.cluster.load import ask_once, for_a_while
from tests.cluster.pods import wait
from tests.cluster.record import Told
from tests.cluster.world import World
from tests.support.keyring import key_of

_PATIENCE_SECONDS = 240.0  # a kubelet looks for changed Secrets about once a minute
_BESIDE_SECONDS = 5.0
_ASKED = 20  # times, by new connections, so that all pods have to agree


def key(world: World) -> Told:
    """The key of role search, without a restart of any pod."""
    (first, _) = world.generations
    world.settle(first)
    rotated, before = keys.new_secret(), world.keys.secrets["search"]
    pods = world.space.names("retrieval")
    try:
        with world.searched() as old:
            for_a_while(_BESIDE_SECONDS)
            world.keys.keys["rotated"] = key_of(rotated, "rotated", "search")
            world.keys.secrets["rotated"] = rotated
            put = _put(world)
            _until(world, "rotated", "200", "the new key is known to all pods")
            known = time.monotonic() - put
        with world.searched(key="rotated") as new:
            del world.keys.keys["search"]
            put = _put(world)
            _until(world, "search", "401", "the old key is refused by all pods")
            refused = time.monotonic() - put
            for_a_while(_BESIDE_SECONDS)
    finally:
        world.keys.keys["search"] = key_of(before, "search", "search")
        _put(world)
        _until(world, "search", "200", "the old key is back")
    assert world.space.names("retrieval") == pods, "a key needs no other pods"
    return Told(
        what="an API key is rotated",
        searches=world.truth.counted([*old.samples(), *new.samples()]),
        seconds={"the new one known to all pods": known, "the old one refused by all": refused},
    )


def _put(world: World) -> float:
    world.keys.write()
    world.put_keys(world.space)
    return time.monotonic()


def _until(world: World, name: str, outcome: str, what: str) -> None:
    url, queries = world.space.address("retrieval"), world.pictures()[:_ASKED]

    def all_agree() -> bool:
        file = world.folder / "rotated.jsonl"
        told = ask_once(world.node, url, world.keys.secrets[name], queries, file)
        return {sample.outcome for sample in told} == {outcome}

    wait(all_agree, what, _PATIENCE_SECONDS)
