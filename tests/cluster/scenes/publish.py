"""Another generation is published, and gone back from: pods swap by themselves, without a rollout."""

from collections.abc import Callable

from tests.cluster.answers import stale
from tests.cluster.load import for_a_while
from tests.cluster.record import Told
from tests.cluster.world import World

_BESIDE_SECONDS = 10.0  # of load before and after


def publish(world: World) -> Told:
    """The pointer moves to the second generation."""
    first, second = world.generations
    return _moved(world, "another generation is published", first, second, lambda: world.publish(second))


def roll_back(world: World) -> Told:
    """The pointer moves back to the first."""
    first, second = world.generations
    world.settle(first)
    return _moved(world, "it is gone back from", second, first, world.roll_back)


def _moved(world: World, what: str, old: str, new: str, move: Callable[[], float]) -> Told:
    world.settle(old)
    before = _containers(world)
    with world.searched() as load:
        for_a_while(_BESIDE_SECONDS)
        since = move()
        world.all_serve(new)
        for_a_while(_BESIDE_SECONDS)
    samples = load.samples()
    searches = world.truth.counted(samples)
    assert set(searches.generations) == {old, new}, f"{searches.generations} answered"
    assert _containers(world) == before, "a swap needs no other pods, and no restart"
    return Told(what=what, searches=searches, stale=stale(samples, old, since))


def _containers(world: World) -> dict[str, str]:
    """By the name of each pod of the service its container, and how often that was restarted."""
    return {
        pod["metadata"]["name"]: f"{own['containerID']} {own['restartCount']}"
        for pod in world.space.pods("retrieval")
        for own in pod["status"]["containerStatuses"]
    }
