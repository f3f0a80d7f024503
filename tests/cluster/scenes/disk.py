"""The disk of a code store gets full, and is freed again, while it is searched and written to."""

import time

from tests.cluster import restored
from tests.cluster.load import for_a_while
from tests.cluster.pods import Namespace, wait
from tests.cluster.record import Told
from tests.cluster.world import World

_SIZE = "64Mi"
_FILLER = "/data/filler"
_BESIDE_SECONDS = 10.0
_FULL_SECONDS = 30.0
_AGAIN_SECONDS = 120.0


def disk(world: World) -> Told:
    """A code store with a small volume, in a namespace of its own, filled by somebody else's file."""
    (first, _) = world.generations
    world.settle(first)
    backup = restored.back_up(world)
    space = Namespace(world.node, "taxohash-disk")
    try:
        restored.restore(world, backup, space, size=_SIZE, capped=True)
        space.rolled_out("deployment/retrieval")
        with world.searched(space) as load, world.written(first, space) as writes:
            for_a_while(_BESIDE_SECONDS)
            full = time.time()
            space.run("statefulset/codestore", "sh", "-c", f"cat /dev/zero >{_FILLER} || true")
            for_a_while(_FULL_SECONDS)
            freed = time.time()
            space.run("statefulset/codestore", "rm", _FILLER)
            wait(
                lambda: any(s.at > freed and s.outcome in ("200", "201") for s in writes.samples()),
                "a write is taken again",
                _AGAIN_SECONDS,
            )
            again = time.time() - freed
            for_a_while(_BESIDE_SECONDS)
        (store,) = space.pods("codestore")
        assert store["status"]["containerStatuses"][0]["restartCount"] == 0, "a full disk restarts nothing"
        acknowledged = writes.acknowledged()
        # What is in memory alone would not come through this.
        space.kubectl("rollout", "restart", "statefulset/codestore")
        space.rolled_out("statefulset/codestore")
        space.kubectl("rollout", "restart", "deployment/retrieval")
        space.rolled_out("deployment/retrieval")
        lost = len(world.missing(acknowledged, space))
    finally:
        restored.removed(world, space)
    refused = [s for s in writes.samples() if full < s.at < freed and s.outcome not in ("200", "201")]
    assert refused, "a full disk takes no writes"
    return Told(
        what="the code store's disk is full for half a minute",
        searches=world.truth.counted(load.samples()),
        written=len(acknowledged),
        lost=lost,
        seconds={"writes taken again once there is room": again},
        notes=[
            f"{len(refused)} writes refused meanwhile, with {', '.join(sorted({s.outcome for s in refused}))}",
            "looked for after a restart of the store",
        ],
    )
