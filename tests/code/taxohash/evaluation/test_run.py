"""Evaluating a run: rankings among themselves, other trees, what is refused."""

from pathlib import Path

import pytest

from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import read_report
from taxohash.evaluation.run import evaluate_run
from taxohash.networks.hashing import encode_pixels
from taxohash.protocols import evaluate
from taxohash.taxonomy import Taxonomy
from taxohash.training.run import Run, train
from tests.support.miniature import CONFIG, make_dataset


def test_it_learns_the_hierarchy(run: Run) -> None:
    metrics = read_report(run.folder)["metrics"]
    assert metrics["mAP"] > 0.5  # chance is 1/6
    assert metrics["mAP/shade"] > 0.8  # chance is 1/2


def test_other_data_are_refused(run: Run, tmp_path: Path) -> None:
    other = make_dataset(tmp_path / "other", train=60)
    with pytest.raises(TaxohashError, match="was trained on"):
        evaluate_run(run.folder, other.folder)


def test_queries_ranked_among_themselves_and_graded_by_another_tree(tmp_path: Path) -> None:
    names = ("a", "b", "c", "d", "e", "f")
    own = Taxonomy("own", tuple(("all", name) for name in names))
    other = Taxonomy("other", tuple(("light" if name > "c" else "dark", name) for name in reversed(names)))
    other.save(tmp_path / "other.json")
    data = make_dataset(tmp_path / "data", taxonomy=own)
    run = train(data.folder, tmp_path / "run", bits=16, training=CONFIG)
    report = evaluate_run(run.folder, protocol="barz", graded_by=tmp_path / "other.json")
    assert report.counts == {"queries": 48, "database": 47, "bits": 16}
    told = read_report(run.folder)["provenance"]
    assert (told["taxonomy"], told["queries"], told["database"]) == ("other", "test", "test")
    network = run.network()
    codes, labels = encode_pixels(network, data.pixels("test", network.preprocessing)), data.labels("test")
    by_hand = evaluate("barz", codes, labels, codes, labels, other.relabelled(own), bits=16)
    assert report.metrics == by_hand.metrics
    flat = evaluate_run(run.folder, protocol="barz").metrics["mAHP@250"]
    assert flat != report.metrics["mAHP@250"]


def test_an_unknown_protocol_is_refused_before_anything_is_encoded(run: Run) -> None:
    with pytest.raises(TaxohashError, match="there is no protocol 'p1'"):
        evaluate_run(run.folder, "absent", protocol="p1")
