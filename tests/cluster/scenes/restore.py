"""A backup is restored into an empty namespace, which is searched then."""

import time

from tests.cluster import restored
from tests.cluster.load import for_a_while
from tests.cluster.pods import Namespace
from tests.cluster.record import Told
from tests.cluster.world import World

_WRITTEN_SECONDS = 10.0
_SEARCHED_SECONDS = 20.0


def restore(world: World) -> Told:
    """Backed up after items were put by the API; the namespace it is restored into has nothing but its Secrets."""
    (first, _) = world.generations
    world.settle(first)
    with world.written(first) as writes:
        for_a_while(_WRITTEN_SECONDS)
    acknowledged = writes.acknowledged()
    begun = time.monotonic()
    backup = restored.back_up(world)
    backed_up = time.monotonic() - begun
    space = Namespace(world.node, "taxohash-restored")
    try:
        begun = time.monotonic()
        restored.restore(world, backup, space)
        space.rolled_out("deployment/retrieval")
        ready = time.monotonic() - begun
        space.rolled_out("deployment/trigger")
        restored.verified(space, backup)
        there, here = restored.items(world, space), restored.items(world, world.space)
        with world.searched(space) as load:
            for_a_while(_SEARCHED_SECONDS)
        lost = max(here - there, len(world.missing(acknowledged, space)))
    finally:
        restored.removed(world, space)
    searches = world.truth.counted(load.samples())
    assert list(searches.generations) == [first]
    return Told(
        what="a backup is restored into an empty namespace",
        searches=searches,
        written=here,
        lost=lost,
        seconds={"backup": backed_up, "from nothing to ready": ready},
        notes=["searches are of the restored one"],
    )
