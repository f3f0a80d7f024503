"""The autoscaler gives the service more pods as it is searched."""

import time

from tests.cluster.pods import READY_SECONDS, is_ready, wait
from tests.cluster.record import Told
from tests.cluster.world import World

_MOST = 3


def scale(world: World) -> Told:
    """From one pod to as many as it may have."""
    (first, _) = world.generations
    world.settle(first)
    bounds = {("HorizontalPodAutoscaler", "retrieval"): {"spec": {"minReplicas": 1, "maxReplicas": _MOST}}}
    world.apply(world.overlay("autoscaler", replicas={}, patches=bounds))
    try:
        with world.searched() as load:
            begun = time.monotonic()
            wait(lambda: _ready(world) == _MOST, f"{_MOST} pods are ready", READY_SECONDS)
            taken = time.monotonic() - begun
    finally:
        world.space.kubectl("delete", "horizontalpodautoscaler", "retrieval")
        world.apply(world.overlay())
        world.settle(first)
    return Told(
        what=f"the autoscaler gives the service {_MOST} pods",
        searches=world.truth.counted(load.samples()),
        seconds={"all ready": taken},
    )


def _ready(world: World) -> int:
    return sum(map(is_ready, world.space.pods("retrieval")))
