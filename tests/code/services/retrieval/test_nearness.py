from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import metrics
from services.retrieval.nearness import count, reach
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import Generation
from tests.support.application import Client
from tests.support.generations import BITS, TAXONOMY, make_generation, pictures

Counted = Callable[[], dict[str, float]]


@pytest.fixture
def counted(hasher: Hasher) -> Counted:
    """How many searches were counted since the test began, by their nearness."""

    def now() -> dict[str, float]:
        return {
            nearness: metrics.SEARCHES_ANSWERED.labels(nearness, hasher.generation.id)._value.get()
            for nearness in ("near", "far")
        }

    before = now()
    return lambda: {nearness: value - before[nearness] for nearness, value in now().items()}


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    """A generation that tells nothing of its queries."""
    return make_generation(tmp_path_factory.mktemp("silent"))


@given(counts=st.lists(st.integers(0, 50), min_size=BITS + 1, max_size=BITS + 1))
def test_nine_of_ten_queries_are_within_reach(silent: Generation, counts: list[int]) -> None:
    found = reach(replace(silent, reference={"nearest_distance": counts}))
    distances = [distance for distance, queries in enumerate(counts) for _ in range(queries)]
    if not distances:
        assert found == BITS
        return
    within = [sum(own <= most for own in distances) for most in (found - 1, found)]
    assert 10 * within[0] < 9 * len(distances) <= 10 * within[1]


def test_all_is_within_reach_of_one_that_tells_nothing(silent: Generation) -> None:
    assert reach(silent) == BITS


@pytest.mark.parametrize(
    ("distance", "within", "wanted"),
    [
        (3, None, {"near": 1, "far": 0}),
        (4, None, {"near": 0, "far": 1}),
        (4, "warm", {"near": 0, "far": 0}),
        (None, None, {"near": 0, "far": 0}),
    ],
)
def test_a_search_of_all_items_is_counted_by_its_nearest(
    hasher: Hasher, counted: Counted, distance: int | None, within: str | None, wanted: dict[str, float]
) -> None:
    results: list[dict[str, Any]] = [] if distance is None else [{"distance": distance}, {"distance": 9}]
    told = {"generation": hasher.generation.id, "within": within, "results": results, "ranking": "hamming"}
    count(told, 3, lambda: pytest.fail("the nearest is the first answer"))
    assert counted() == wanted


@pytest.mark.parametrize(("nearest", "wanted"), [(3, "near"), (4, "far")])
def test_by_weights_the_nearest_may_be_no_answer(
    hasher: Hasher, counted: Counted, nearest: int, wanted: str
) -> None:
    told: dict[str, Any] = {"generation": hasher.generation.id, "within": None, "ranking": "weighted"}
    count(told | {"results": [{"distance": 7}, {"distance": 5}]}, 3, lambda: nearest)
    assert counted() == {"near": 0, "far": 0} | {wanted: 1}
    found = [{"distance": 7}, {"distance": 3}]
    count(told | {"results": found}, 3, lambda: pytest.fail("one that is near is there"))
    assert counted()["near"] == 1 + (wanted == "near")


def test_requests_are_counted_and_nothing_else(make_client: Callable[..., Client], counted: Counted) -> None:
    client = make_client()  # which has searched, to warm up
    assert counted() == {"near": 0, "far": 0}
    for _ in range(3):
        assert client.search(pictures(1)[0]).status_code == 200
    assert client.search(pictures(1)[0], within=TAXONOMY.paths[0][0]).status_code == 200
    assert client.search(b"no picture").status_code == 422
    assert counted() == {"near": 3, "far": 0}
