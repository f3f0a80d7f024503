"""What an answer says of itself, from the numbers that a generation keeps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.trust import Trust
from taxohash.codes import Queries
from taxohash.generation.calibration import RANKINGS, Ranking, depths_of
from taxohash.generation.hasher import Hasher
from taxohash.runtime.atomic import write_json
from taxohash.runtime.configuration import plain
from tests.support.calibrations import KNOWN
from tests.support.generations import BITS, TAXONOMY, make_generation


def result(item: str, *labels: int, distance: int = 0, weighted: float = 0.0) -> dict[str, Any]:
    paths = [list(TAXONOMY.paths[label]) for label in labels]
    return {"id": item, "label_paths": paths, "distance": distance, "weighted_distance": weighted}


@pytest.fixture
def trust() -> Trust:
    return Trust(KNOWN, frozenset({"seen"}))


def test_probabilities_have_a_value_for_each_level_of_an_items_path(trust: Trust) -> None:
    results = [
        result("seen", 0),
        result("new", 0),
        result("seen", 2, 0),
        result("seen"),
        result("new", 5, weighted=0.5),
    ]
    assert trust.probabilities("weighted", results) == [[1, 0.9, 0.8], [0.5, 0.4, 0.3], [1, 0.9], [], [0.25]]
    half = [result("seen", 0, distance=BITS // 2)]
    assert trust.probabilities("hamming", half) == [[0.5, 0.45, 0.4]]
    assert trust.probabilities("hamming", []) == []
    unmeasured = Trust(replace(KNOWN, new=None), frozenset({"seen"}))
    assert unmeasured.probabilities("hamming", [result("new", 0), result("seen", 0)]) == [[], [1, 0.9, 0.8]]


def test_the_querys_own_path_ends_where_it_is_not_sure(trust: Trust) -> None:
    assert trust.predicted("weighted", [result("seen", 0), result("seen", 1)]) == [
        {"name": "warm", "confidence": 1.0},
        {"name": "red", "confidence": 0.9},
    ]
    assert trust.predicted("hamming", [result("new", 0), result("new", 3)]) == []
    assert trust.predicted("hamming", []) == []


results_of = st.lists(
    st.tuples(st.sampled_from(["seen", "new"]), st.integers(-1, len(TAXONOMY) - 1), st.integers(0, BITS)),
    max_size=5,
)


@given(results_of, st.sampled_from(RANKINGS))
def test_it_says_what_the_calibration_says_of_many_answers(
    drawn: list[tuple[str, int, int]], ranking: Ranking
) -> None:
    results = [
        result(item, *([label] if label >= 0 else []), distance=distance, weighted=distance / BITS)
        for item, label, distance in drawn
    ]
    labels = np.array([label for _, label, _ in drawn], np.int32)
    seen, depths = np.array([item == "seen" for item, _, _ in drawn], bool), depths_of(TAXONOMY, labels)
    distances = np.array(
        [one["weighted_distance" if ranking == "weighted" else "distance"] for one in results], float
    )
    shared = KNOWN.shared(ranking, distances, seen, depths)
    path = KNOWN.predicted(ranking, TAXONOMY, shared, seen, labels)
    told = Trust(KNOWN, frozenset({"seen"}))
    expected = [own[:depth].round(4).tolist() for own, depth in zip(shared, depths, strict=True)]
    assert told.probabilities(ranking, results) == expected
    found = told.predicted(ranking, results)
    assert [step["name"] for step in found] == [name for name, _ in path]
    assert [step["confidence"] for step in found] == pytest.approx([one for _, one in path], abs=1e-4)


def test_what_is_unlike_anything_known_has_no_path(trust: Trust) -> None:
    nearest, outputs = [result("seen", 5), result("seen", 5)], np.ones((1, BITS), np.float32)
    path = [{"name": "grey <b>&amp;", "confidence": 1.0}]
    assert trust.of_query("hamming", nearest) == {"predicted": path}
    known, strange = (Queries(outputs, np.array([[novelty, 0]], np.float32)) for novelty in (2, 5))
    assert trust.of_query("weighted", nearest, known) == {"predicted": path, "unlike": False, "novelty": 0.5}
    assert trust.of_query("weighted", nearest, strange) == {"predicted": [], "unlike": True, "novelty": 1.25}


def test_only_pictures_are_unlike(trust: Trust) -> None:
    outputs = np.ones((1, BITS), np.float32)
    assert trust.unlike(Queries(outputs, np.array([[5, 0]], np.float32))) == {"unlike": True, "novelty": 1.25}
    assert trust.unlike(Queries(outputs, np.array([[0, 4]], np.float32))) == {"unlike": False, "novelty": 1.0}
    assert trust.unlike(Queries(outputs)) == trust.unlike(None) == {}
    blind = Trust(replace(KNOWN, novelty=()), frozenset())
    assert blind.unlike(Queries(outputs, np.array([[5, 0]], np.float32))) == {}


def test_a_generation_says_which_items_it_was_trained_on(tmp_path: Path) -> None:
    made = make_generation(tmp_path)
    assert Trust.of(Hasher(tmp_path)) is None
    calibrated = replace(made, calibration=plain(KNOWN))
    calibrated.write(tmp_path)
    bare = Trust.of(Hasher(tmp_path))
    assert bare is not None
    assert bare.probabilities("hamming", [result("b", 0)]) == [[0.5, 0.4, 0.3]]
    np.save(tmp_path / "codes.npy", np.zeros((4, 3), np.uint8))
    write_json(tmp_path / "items.json", {"ids": ["a", "b", "c", "d"], "labels": [[0], [0], [0], [0]]})
    parts = [{"split": "test", "rows": 1}, {"split": "train", "rows": 2}, {"split": "val", "rows": 1}]
    replace(calibrated, database=parts).write(tmp_path)
    hasher = Hasher(tmp_path)
    assert hasher.learned == {"b", "c"}
    told = Trust.of(hasher)
    assert told is not None
    assert told.nearest == 2
    assert told.probabilities("hamming", [result("b", 0), result("d", 0)]) == [[1, 0.9, 0.8], [0.5, 0.4, 0.3]]
