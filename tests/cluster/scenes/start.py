"""Pods start while the pointer moves, there and back: each comes up with what is published, whatever its image was built with."""

from tests.cluster.load import for_a_while
from tests.cluster.record import Told
from tests.cluster.world import REPLICAS, World

_MORE = 1
_BESIDE_SECONDS = 5.0


def start(world: World) -> Told:
    """One pod more starts as the pointer moves to the second generation; another in its place as it moves back."""
    first, second = world.generations
    world.settle(first)
    with world.searched() as load:
        for_a_while(_BESIDE_SECONDS)
        _scale(world, REPLICAS + _MORE)
        world.publish(second)
        _ready(world, second)
        _scale(world, REPLICAS)
        _ready(world, second)
        _scale(world, REPLICAS + _MORE)
        world.roll_back()
        _ready(world, first)
        _scale(world, REPLICAS)
        for_a_while(_BESIDE_SECONDS)
    searches = world.truth.counted(load.samples())
    assert set(searches.generations) == {first, second}, searches.generations
    return Told(what="pods start as the pointer moves, there and back", searches=searches)


def _scale(world: World, replicas: int) -> None:
    world.space.kubectl("scale", "deployment/retrieval", f"--replicas={replicas}")


def _ready(world: World, generation: str) -> None:
    world.space.rolled_out("deployment/retrieval")
    world.all_serve(generation)
