"""Maps from distances to probabilities: what they are fitted to, and that they hold."""

import numpy as np
import numpy.typing as npt
import pytest

from taxohash.codes import Queries, pack
from taxohash.evaluation import calibration as module
from taxohash.evaluation.calibration import calibrate, calibration, reliability_of
from taxohash.evaluation.reliability import reliability
from taxohash.generation.calibration import RANKINGS, Ranking
from taxohash.taxonomy import Taxonomy
from tests.support.miniature import TAXONOMY

BITS = 32


def synthetic(count: int, seed: int, noise: float = 1.0) -> tuple[Queries, npt.NDArray[np.int64]]:
    """Pictures whose outputs lie around codes laid out like the tree."""
    layout = np.random.default_rng(7)
    parts = [layout.normal(size=(TAXONOMY.class_count(level), BITS)) for level in range(TAXONOMY.depth)]
    centres = np.sum([part[TAXONOMY.ancestors[:, level]] for level, part in enumerate(parts)], axis=0)
    random = np.random.default_rng(seed)
    labels = random.integers(0, len(TAXONOMY), count)
    outputs = centres[labels] + noise * random.normal(size=(count, BITS)) * random.uniform(0.5, 4, (count, 1))
    return Queries(outputs.astype(np.float32)), labels


def test_probabilities_hold_on_queries_that_they_were_not_fitted_to() -> None:
    asked, labels = synthetic(2000, 1)
    known, known_labels = synthetic(1500, 2)
    found = calibrate(asked, labels, (known.codes, known_labels), TAXONOMY, BITS)
    assert set(found) == {"seen", "new"}
    for rankings in found.values():
        for measured in rankings.values():
            assert len(measured.shared) == len(measured.predicted) == len(measured.told) == 3
            for level in measured.shared:
                assert level is not None
                assert level.error <= 0.03
                assert level.skill is not None
                assert level.skill > 0
            for level in measured.predicted:
                assert level is not None
                assert level.error <= 0.06
    kept = calibration(found, TAXONOMY, None, labels, "train")
    fresh, fresh_labels = synthetic(1000, 3)
    answers = module._answers(fresh, fresh_labels, known.codes, known_labels, BITS, "weighted")
    has, agrees = module._agreement(answers, TAXONOMY)
    depths = has.sum(axis=2)
    told = kept.shared("weighted", answers.distances, np.ones(has.shape[:2], bool), depths)
    for number in range(3):
        own = has[..., number]
        assert reliability(told[own, number], agrees[own, number]).error <= 0.04
    assert np.isnan(told[~has]).all()
    assert kept.novelty == ()
    assert kept.measured["queries"] == 2000


def test_two_pictures_of_one_half_are_all_that_a_fit_knows_of_new_items(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, labels = synthetic(120, 1)
    pairs: list[tuple[object, object]] = []
    original = module._answers

    def seen(queries: Queries, own: object, codes: object, *rest: object) -> object:
        pairs.append((queries.codes, codes))
        return original(queries, own, codes, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_answers", seen)
    found = calibrate(asked, labels, None, TAXONOMY, BITS)
    assert set(found) == {"new"}
    for queries, codes in pairs:
        assert np.array_equal(queries, codes)  # type: ignore[arg-type]
    first, second = ({code.tobytes() for code in codes} for _, codes in pairs[:2])  # type: ignore[attr-defined]
    assert len(first | second) == len({code.tobytes() for code in asked.codes})


@pytest.mark.parametrize("ranking", RANKINGS)
def test_answers_are_the_nearest_others(ranking: Ranking) -> None:
    asked, labels = synthetic(60, 4, noise=0.2)  # many equal codes: not all find themselves among the first
    rows = np.array([0, 5, 59])
    found = module._answers(
        Queries(asked.outputs[rows]), labels[rows], asked.codes, labels, BITS, ranking, rows
    )
    ones = asked.outputs >= 0
    for place, row in enumerate(rows):
        weights = np.abs(asked.outputs[row]) if ranking == "weighted" else np.ones(BITS)
        distances = ((ones != ones[row]) * weights).sum(axis=1)
        if ranking == "weighted":
            distances /= weights.sum()
        others = np.delete(np.arange(60), row)
        nearest = np.sort(distances[others])[:10]
        assert found.distances[place] == pytest.approx(nearest, abs=1e-5)
    assert found.items.shape == (3, 10)


def test_a_part_of_many_queries_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 30)
    asked, labels = synthetic(200, 1)
    found = calibrate(asked, labels, None, TAXONOMY, BITS)
    assert calibration(found, TAXONOMY, None, labels, "train").measured["queries"] == 60
    level = found["new"]["hamming"].shared[0]
    assert level is not None
    assert level.count == 600


def test_fewer_others_than_answers_are_all_of_them() -> None:
    asked, labels = synthetic(12, 1)
    found = calibrate(asked, labels, (pack(asked.outputs[:3]), labels[:3]), TAXONOMY, BITS)
    level = found["seen"]["weighted"].shared[0]
    assert level is not None
    assert level.count == 36


def test_levels_that_no_item_has_are_left_out() -> None:
    tree = Taxonomy("t", (("a",), ("b", "c", "d")))
    asked = Queries(np.random.default_rng(0).normal(size=(60, BITS)).astype(np.float32))
    labels = np.zeros(60, int)
    labels[:2] = 1
    found = calibrate(asked, labels, (asked.codes[2:], labels[2:]), tree, BITS)
    assert found["seen"]["hamming"].shared[1:] == (None, None)
    assert found["seen"]["hamming"].predicted[1:] == (None, None)
    kept = calibration(found, tree, np.arange(120, dtype=np.float32).reshape(60, 2), labels, "train")
    assert kept.measured["seen"]["hamming"]["shared"]["level2"] is None
    assert set(reliability_of(found, tree)["seen"]["hamming"]) == {"level1"}
    assert kept.measured["unlike"]["known"] == 60
    assert kept.novelty == (118, 119)
