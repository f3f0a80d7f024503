"""Which answers are counted, and as what."""

import time
from typing import Any

import pytest

from services.retrieval.health.health import Health
from taxohash.generation.hasher import Hasher
from tests.support.generations import BITS, TAXONOMY

CODE = "f0" * 3
PATH = [{"name": "warm", "confidence": 0.8}, {"name": "red", "confidence": 0.6}]


def answer(*distances: int, ranking: str = "weighted", **more: Any) -> dict[str, Any]:
    results = [{"distance": distance} for distance in distances]
    return {"ranking": ranking, "results": results, "code": CODE, "predicted": PATH, "unlike": False} | more


def never() -> int:
    pytest.fail("the nearest is known")


@pytest.mark.parametrize("ranking", ["weighted", "hamming"])
def test_what_is_at_no_distance_is_the_nearest(watched: Hasher, ranking: str) -> None:
    made = Health(watched)
    made.count(answer(0, 2, ranking=ranking), never)
    assert made.tally.counted().distances[0] == 1


def test_by_distance_the_first_is_the_nearest(watched: Hasher) -> None:
    made = Health(watched)
    made.count(answer(4, 5, ranking="hamming"), never)
    assert made.tally.counted().distances[4] == 1


@pytest.mark.parametrize(("least", "wanted"), [(3, 3), (None, 4)])
def test_by_weights_it_is_looked_for(watched: Hasher, least: int | None, wanted: int) -> None:
    made = Health(watched)
    made.count(answer(4, 5), lambda: least)
    assert made.tally.counted().distances[wanted] == 1


def test_an_answer_is_counted_whole(watched: Hasher) -> None:
    made = Health(watched)
    made.count(answer(0), never)
    made.count(answer(0, predicted=[], unlike=True), never)
    found = made.tally.counted()
    assert (found.queries, found.unlike) == (2, 1)
    assert dict(zip(made.nodes, found.tops, strict=True)) == {
        "warm": 1,
        "cold": 0,
        "grey <b>&amp;": 0,
        "none": 1,
    }
    assert found.sums == (0.8, 0.6, 0.0)
    assert found.bits.tolist() == [2, 2, 2, 2, 0, 0, 0, 0] * 2 + [2] * 4
    assert len(found.bits) == BITS
    assert made.levels == TAXONOMY.levels


def test_one_that_knows_nothing_counts_too(silent: Hasher) -> None:
    made, told = Health(silent), answer(0)
    del told["predicted"], told["unlike"]
    made.count(told, never)
    assert made.tally.counted().queries == 1
    assert not made.tells_path
    assert not made.tells_unlike


def test_what_found_nothing_is_not_counted(watched: Hasher) -> None:
    made = Health(watched)
    made.count(answer(), never)
    assert made.tally.counted().queries == 0


def test_who_comes_while_looking_has_used_up_what_may_be_is_not_counted(
    watched: Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever he brings: else what is far would be counted less."""
    now, looked = 0.0, 0

    def least() -> int:
        nonlocal now, looked
        now += 1000.0  # seconds of a core
        looked += 1
        return 1

    monkeypatch.setattr(time, "thread_time", lambda: now)
    made = Health(watched)
    made.count(answer(4), least)
    made.count(answer(4), least)
    made.count(answer(0), never)
    assert (made.tally.counted().queries, looked) == (1, 1)
