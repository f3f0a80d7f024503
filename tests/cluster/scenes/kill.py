"""Every pod is killed in turn, as by kill -9 of all its processes, while it is searched and written to."""

import time

from tests.cluster.load import for_a_while
from tests.cluster.pods import READY_SECONDS, Object, is_ready, wait
from tests.cluster.record import Told
from tests.cluster.world import World

_BESIDE_SECONDS = 5.0
WORKLOADS = ("retrieval", "codestore", "backfill", "trigger")


def kill(world: World) -> Told:
    """Each pod of each workload, the next when the one before is ready again."""
    (first, _) = world.generations
    world.settle(first)
    seconds: dict[str, float] = {}
    with world.searched() as load, world.written(first) as writes:
        for_a_while(_BESIDE_SECONDS)
        for workload in WORKLOADS:
            taken = [_killed(world, workload, name) for name in world.space.names(workload)]
            seconds[f"{workload} ready again"] = max(taken)
            for_a_while(_BESIDE_SECONDS)
    acknowledged = writes.acknowledged()
    return Told(
        what="every pod is killed in turn (SIGKILL)",
        searches=world.truth.counted(load.samples()),
        written=len(acknowledged),
        lost=len(world.missing(acknowledged)),
        seconds=seconds,
        notes=[f"{writes.refused()} of {len(writes.samples())} writes were refused meanwhile"],
    )


def _killed(world: World, workload: str, name: str) -> float:
    """Kill one, and wait until its container runs anew and is ready; how long that took, in seconds."""
    before, begun = _container(world, workload, name), time.monotonic()
    world.node.inside(
        *("ctr", "-n", "k8s.io", "tasks", "kill", "--all", "--signal", "SIGKILL"),
        before["containerID"].removeprefix("containerd://"),
    )

    def again() -> bool:
        (pod,) = [pod for pod in world.space.pods(workload) if pod["metadata"]["name"] == name]
        (own,) = pod["status"]["containerStatuses"]
        return is_ready(pod) and own["restartCount"] > before["restartCount"]

    wait(again, f"{name} is ready again", READY_SECONDS)
    return time.monotonic() - begun


def _container(world: World, workload: str, name: str) -> Object:
    (pod,) = [pod for pod in world.space.pods(workload) if pod["metadata"]["name"] == name]
    own: Object = pod["status"]["containerStatuses"][0]
    return own
