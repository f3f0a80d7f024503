from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.nearness import reach
from taxohash.generation.manifest import Generation
from tests.support.generations import BITS, make_generation


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
