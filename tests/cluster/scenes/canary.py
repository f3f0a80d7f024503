"""A pinned candidate beside what is published, behind the same Service: it stays what it is while the pointer moves."""

from collections import Counter
from collections.abc import Sequence

from tests.cluster.load import Sample, for_a_while
from tests.cluster.record import Told
from tests.cluster.world import World

_BESIDE_SECONDS = 15.0
_CANARY = "retrieval-canary"


def canary(world: World) -> Told:
    """The second generation as the candidate; the pointer moves to it and back, and only the stable pods follow."""
    first, second = world.generations
    world.settle(first)
    pin = {("ConfigMap", "canary"): {"data": {"TAXOHASH_PIN": second}}}
    try:
        with world.searched() as load:
            for_a_while(_BESIDE_SECONDS)
            world.apply(world.overlay("canary", patches=pin))
            world.space.rolled_out(f"deployment/{_CANARY}")
            told = world.readiness(world.space.names(_CANARY)[0])
            assert (told["generation"], told["pinned"]) == (second, True), told
            begun = len(load.samples())
            for_a_while(_BESIDE_SECONDS)
            share = _share(load.samples()[begun:], second)
            world.publish(second)
            world.all_serve(second)
            world.roll_back()
            world.all_serve(first)
            told = world.readiness(world.space.names(_CANARY)[0])
            assert (told["generation"], told["pinned"]) == (second, True), told
            for_a_while(_BESIDE_SECONDS)
            world.space.kubectl("delete", f"deployment/{_CANARY}")
            for_a_while(_BESIDE_SECONDS)
    finally:
        world.space.kubectl("delete", f"deployment/{_CANARY}", "--ignore-not-found")
    searches = world.truth.counted(load.samples())
    assert set(searches.generations) == {first, second}, searches.generations
    return Told(
        what="a pinned candidate comes beside two stable pods, the pointer moves there and back, it goes",
        searches=searches,
        notes=[f"the candidate, one pod of three, answers {share:.0%}: kept connections stay where they are"],
    )


def _share(samples: Sequence[Sample], generation: str) -> float:
    counts = Counter(sample.answer["generation"] for sample in samples if sample.outcome == "200")
    return counts[generation] / max(1, counts.total())
