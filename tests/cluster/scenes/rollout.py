"""The program is rolled out anew, while it is searched."""

import time

from tests.cluster.load import for_a_while
from tests.cluster.record import Told
from tests.cluster.world import World

_BESIDE_SECONDS = 10.0


def rollout(world: World) -> Told:
    """Every pod of the service is replaced, one after the other."""
    (first, _) = world.generations
    world.settle(first)
    with world.searched() as load:
        for_a_while(_BESIDE_SECONDS)
        begun = time.monotonic()
        world.space.kubectl("rollout", "restart", "deployment/retrieval")
        world.space.rolled_out("deployment/retrieval")
        taken = time.monotonic() - begun
        for_a_while(_BESIDE_SECONDS)
    return Told(
        what="the service is rolled out anew",
        searches=world.truth.counted(load.samples()),
        seconds={"all pods replaced": taken},
    )
