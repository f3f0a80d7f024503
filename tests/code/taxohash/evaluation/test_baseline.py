"""Yardsticks: exact chance, ITQ whatever the images are, and what is kept beside a report."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from taxohash.codes import unpack
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.evaluation.baseline import BASELINE, Yardsticks, itq, measure_yardsticks
from taxohash.evaluation.report.read import read_report
from taxohash.evaluation.run import evaluate_run
from taxohash.evaluation.scores import load_scores
from taxohash.networks.features import Extractor
from taxohash.protocols import evaluate
from taxohash.runtime.configuration import replaced
from taxohash.training.run import Run, train
from tests.support.gate import judged
from tests.support.miniature import HASHER, make_dataset
from tests.support.toy_objectives import registered


@pytest.fixture(scope="module")
def copy(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the run, for what is written beside its report."""
    folder = tmp_path_factory.mktemp("copy") / "run"
    shutil.copytree(run.folder, folder)
    return folder


@pytest.fixture(scope="module")
def measured(copy: Path) -> Yardsticks:
    return measure_yardsticks(copy)


def test_chance_is_what_random_rankings_score_on_average(
    run: Run, data: Dataset, measured: Yardsticks
) -> None:
    asked, known = data.labels("test"), data.labels("train")
    random = np.random.default_rng(0)
    drawn = [
        evaluate(
            "hierarchical",
            random.random((48, 4)).astype(np.float32),
            asked,
            random.random((240, 4)).astype(np.float32),
            known,
            data.taxonomy,
        ).scores
        for _ in range(20)
    ]
    for name, values in measured.chance.items():
        assert values.mean() == pytest.approx(np.mean([one[name].mean() for one in drawn]), abs=0.01)


def test_what_was_trained_passes_and_what_was_not_is_refused(run: Run, measured: Yardsticks) -> None:
    trained = load_scores(run.folder)
    assert list(trained) == list(measured.chance) == list(measured.baseline)
    for name, values in trained.items():
        assert measured.chance[name].mean() < measured.baseline[name].mean() <= values.mean() + 0.1
    assert judged(trained, None, measured.chance, measured.baseline).passed
    assert (measured.features, measured.bits) == ("pictures of 16 px", 16)
    untrained = judged(measured.chance, None, measured.chance, measured.baseline)
    assert "below the floor" in untrained.reason


def test_it_is_found_again_beside_the_report(copy: Path, measured: Yardsticks, tmp_path: Path) -> None:
    found = Yardsticks.load(copy)
    for name, values in measured.baseline.items():
        np.testing.assert_array_equal(found.baseline[name], values)
        np.testing.assert_array_equal(found.chance[name], measured.chance[name])
    assert (found.features, found.bits) == (measured.features, measured.bits)
    with pytest.raises(TaxohashError, match="measure the baseline again"):
        Yardsticks.load(tmp_path)
    (tmp_path / BASELINE).write_text("[]")
    with pytest.raises(TaxohashError, match="is no baseline: measure the baseline again"):
        Yardsticks.load(tmp_path)


def test_a_run_that_was_not_evaluated_has_no_queries_to_ask(data: Dataset, tmp_path: Path) -> None:
    made = train(data.folder, tmp_path / "run", replaced(HASHER, {"training.epochs": 1}))
    with pytest.raises(TaxohashError, match="run `taxohash evaluate` first"):
        measure_yardsticks(made.folder)
    evaluate_run(made.folder, protocol="barz")
    found = measure_yardsticks(made.folder)
    assert list(read_report(made.folder)["headline"]) == ["mAP", "mAHP"]
    assert set(found.chance) == {"mAP", "mAHP", "mAP/shape", "mAP/shade"}
    assert all(found.baseline[name].mean() > found.chance[name].mean() for name in found.chance)


def test_sets_of_labels_and_few_images(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", 10, 8, known="labels", asked="labels")
    with registered():
        made = train(data.folder, tmp_path / "run", replaced(HASHER, {"objective.name": "toy-unlabelled"}))
        evaluate_run(made.folder)
        found = measure_yardsticks(made.folder)
    assert found.bits == 9, "ten images differ in nine ways"
    assert list(found.chance) == ["mAP", "nDCG"]
    assert all(np.isfinite(values).all() for values in found.baseline.values())


@pytest.mark.parametrize("kind", [np.float16, np.uint8])
def test_itq_keeps_neighbours_near(kind: type[np.generic]) -> None:
    random = np.random.default_rng(0)
    centres = random.normal(128, 40, (8, 64))
    near = np.repeat(np.arange(8), 30)
    values = (centres[near] + random.normal(0, 5, (240, 64))).clip(0, 255).astype(kind)
    encode, bits = itq(values, 16)
    assert bits == 16
    ones = unpack(encode(values), bits)
    distances = (ones[:, None] != ones[None]).sum(axis=2)
    same = near[:, None] == near[None]
    assert distances[same].mean() < distances[~same].mean() / 2


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        (np.zeros((1, 8), np.uint8), 1),
        (np.full((20, 8), 7, np.uint8), 1),
        (np.arange(40, dtype=np.uint8).reshape(-1, 1).repeat(8, axis=1), 1),
        (np.eye(5, 8, dtype=np.float16), 4),
        (np.random.default_rng(0).random((50, 3)).astype(np.float16), 3),
    ],
)
def test_what_does_not_differ_makes_no_bits(values: np.ndarray, bits: int) -> None:
    encode, made = itq(values, 16)
    assert made == bits
    assert encode(values).shape == (len(values), 1)


def test_a_network_with_pretrained_weights_is_held_against_its_own_frozen_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    data = make_dataset(tmp_path / "data", train=36, test=12)
    chosen = {"network.name": "efficientnet_lite0", "training.epochs": 1, "bits": 32}
    made = train(data.folder, tmp_path / "run", replaced(HASHER, chosen))
    evaluate_run(made.folder)
    found = measure_yardsticks(made.folder)
    assert (found.features, found.bits) == ("frozen efficientnet_lite0 features at 64 px", 32)
    assert found.baseline["mAP"].mean() > found.chance["mAP"].mean() + 0.1
    monkeypatch.setattr(Extractor, "__call__", lambda *_: pytest.fail("they were kept"))
    again = measure_yardsticks(made.folder)
    np.testing.assert_array_equal(again.baseline["mAP"], found.baseline["mAP"])

    def fail(*_: object) -> None:
        raise TaxohashError("no network")

    monkeypatch.setattr("taxohash.networks.features.frozen", fail)
    assert measure_yardsticks(made.folder).features == "pictures of 16 px"
