"""The node is drained of what taxohash runs on it, while it is searched and written to."""

import subprocess
import time

from tests.cluster.load import for_a_while
from tests.cluster.pods import READY_SECONDS, wait
from tests.cluster.record import Told
from tests.cluster.world import World

_BESIDE_SECONDS = 5.0
_HELD_SECONDS = 20.0
_DRAIN_SECONDS = 900
_NODE = "node-1"


def drain(world: World) -> Told:
    """While there is no other node one pod of the service is held by its budget; the node may be used again, as another would, and it goes."""
    space = world.space
    (first, _) = world.generations
    world.settle(first)
    before = space.names("retrieval")
    with world.searched() as load, world.written(first) as writes:
        for_a_while(_BESIDE_SECONDS)
        begun = time.monotonic()
        draining = world.node.start(
            *("kubectl", "drain", _NODE, "--pod-selector=app.kubernetes.io/part-of=taxohash"),
            *("--delete-emptydir-data", "--ignore-daemonsets", f"--timeout={_DRAIN_SECONDS}s"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            wait(lambda: len(_left(world, before)) < len(before), "a pod is evicted", READY_SECONDS)
            for_a_while(_HELD_SECONDS)
            held = _left(world, before)
            assert held, "the budget holds the last pod as long as no other is ready"
            world.node.kubectl("uncordon", _NODE)
            out, _ = draining.communicate(timeout=_DRAIN_SECONDS)
        finally:
            draining.terminate()
            world.node.kubectl("uncordon", _NODE)
        assert draining.returncode == 0, out
        for workload in (
            "statefulset/codestore",
            "deployment/retrieval",
            "deployment/backfill",
            "deployment/trigger",
        ):
            space.rolled_out(workload)
        taken = time.monotonic() - begun
        for_a_while(_BESIDE_SECONDS)
    acknowledged = writes.acknowledged()
    return Told(
        what="the node is drained",
        searches=world.truth.counted(load.samples()),
        written=len(acknowledged),
        lost=len(world.missing(acknowledged)),
        seconds={"all pods ready elsewhere": taken},
        notes=[
            f"{len(held)} of {len(before)} pods held by its budget until another was ready",
            f"{writes.refused()} of {len(writes.samples())} writes were refused meanwhile",
        ],
    )


def _left(world: World, before: list[str]) -> list[str]:
    return [name for name in world.space.names("retrieval") if name in before]
