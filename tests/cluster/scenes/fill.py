"""Applied to an empty cluster, ready, filled by pods of pipelines, searched."""

import json
import time

from tests.cluster import pipeline
from tests.cluster.images import PIPELINES
from tests.cluster.pods import wait
from tests.cluster.record import Told
from tests.cluster.world import World

_HASHER = (
    *("--objective", "csq", "--bits", "32", "--epochs", "5", "--network", "small-resnet"),
    *("--policy", "tolerance_least=0.1", "--policy", "tolerance_most=0.1"),
)
_AWAITS_APPROVAL = 3
_SEARCHED_SECONDS = 20.0
_READY_SECONDS = 300.0


def fill(world: World) -> Told:
    """The code store is ready, a pipeline publishes, the service gets ready by itself; a second generation is sealed and waits."""
    space, begun = world.space, time.monotonic()
    world.apply(world.overlay())
    world.report("the manifests are applied")
    space.rolled_out("statefulset/codestore")
    stored = time.monotonic()
    world.report(f"the code store is ready after {stored - begun:.0f} s")
    code, log = _retrain(world, "first")
    assert code == 0, f"the pipeline ended with {code}: {log}"
    filled = time.monotonic()
    space.rolled_out("deployment/retrieval", _READY_SECONDS)
    served = time.monotonic()
    space.rolled_out("deployment/trigger", _READY_SECONDS)
    first = world.published()
    assert first, "the pipeline has published something"
    world.generations = [first]
    world.report(
        f"{first} is published; the service is ready {served - filled:.0f} s after the pipeline's end"
    )
    code, log = _retrain(world, "second", "--seed", "2", "--policy", "approve=always")
    assert code == _AWAITS_APPROVAL, f"the pipeline ended with {code}: {log}"
    second = _sealed(world)
    world.generations.append(second)
    world.fetch(second)
    world.report(f"{second} is sealed and awaits approval")
    world.ask()
    with world.searched() as load:
        wait(lambda: len(load.samples()) >= 15 * _SEARCHED_SECONDS, "searches", 10 * _SEARCHED_SECONDS)
    samples = load.samples()
    return Told(
        what="applied to an empty namespace, filled by a pod of a pipeline, searched",
        searches=world.truth.counted(samples),
        seconds={
            "code store ready": stored - begun,
            "retrain, in one pod": filled - stored,
            "service ready after it": served - filled,
        },
    )


def _retrain(world: World, name: str, *words: str) -> tuple[int, str]:
    command = ["run", "retrain", "--data", "/work/data", "--home", "/work", "--run", name, *_HASHER, *words]
    return pipeline.run(world.space, PIPELINES, f"retrain-{name}", *command)


def _sealed(world: World) -> str:
    """The generation that awaits approval."""
    (found,) = [
        one["ref"]["id"]
        for one in json.loads(world.admin("generations", "--json"))
        if one["state"] == "sealed"
    ]
    return str(found)
