"""Evaluating a run: rankings among themselves, other trees, what is refused."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from taxohash.codes import bit_health
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import read_report
from taxohash.evaluation.run import evaluate_generation, evaluate_run
from taxohash.generation.calibration import depths_of
from taxohash.generation.hasher import Hasher
from taxohash.hamming import HammingIndex
from taxohash.images import decode, to_array
from taxohash.networks.hashing import encode_pixels, encode_query_pixels
from taxohash.protocols import evaluate
from taxohash.release.export import export
from taxohash.runtime.configuration import plain, replaced
from taxohash.taxonomy import Taxonomy
from taxohash.training.run import Run, train
from tests.support.generations import png
from tests.support.miniature import HASHER, SIDE, TAXONOMY, make_dataset, picture
from tests.support.toy_objectives import registered

UNLABELLED = replaced(HASHER, {"objective.name": "toy-unlabelled"})


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
    run = train(data.folder, tmp_path / "run", HASHER)
    report = evaluate_run(run.folder, protocol="barz", graded_by=tmp_path / "other.json")
    assert report.counts == {"queries": 48, "database": 47, "bits": 16}
    told = read_report(run.folder)["provenance"]
    assert (told["taxonomy"], told["queries"], told["database"]) == ("other", "test", "test")
    network = run.network()
    asked = encode_query_pixels(network, data.pixels("test", network.preprocessing))
    codes, labels, tree = asked.codes, data.labels("test"), other.relabelled(own)
    by_hand = evaluate("barz", codes, labels, codes, labels, tree, bits=16)
    assert report.metrics == by_hand.metrics
    by_hand = evaluate("barz", asked.outputs, labels, codes, labels, tree, bits=16, ranking="weighted")
    assert report.weighted == by_hand.metrics != report.metrics
    assert report.ranking == "hamming"
    flat = evaluate_run(run.folder, protocol="barz").metrics["mAHP@250"]
    assert flat != report.metrics["mAHP@250"]


def test_a_generation_is_graded_by_the_tree_of_the_data_whatever_it_learned(run: Run, tmp_path: Path) -> None:
    generation = export(run.folder, tmp_path)
    grown = Taxonomy("grown", (*(("all", f"leaf {i}") for i in range(6)), ("all", "new")))
    data = make_dataset(tmp_path / "data", taxonomy=grown, train=60)
    hasher = Hasher(generation)
    asked, ranked = (
        hasher.encode_query_pixels(data.pixels(split, hasher.generation.preprocessing))
        for split in ("test", "train")
    )
    labels = [data.labels(split) for split in ("test", "train")]
    by_hand = evaluate("hierarchical", asked.codes, labels[0], ranked.codes, labels[1], grown, bits=16)
    weighted = evaluate(
        "hierarchical", asked.outputs, labels[0], ranked.codes, labels[1], grown, bits=16, ranking="weighted"
    )
    found = evaluate_generation(generation, data.folder)
    trust = {
        name: found.as_dict()[name] for name in ("calibration", "reliability", "projection", "bit_health")
    }
    assert trust["bit_health"] == bit_health(ranked.codes, 16).as_dict()
    assert found.as_dict() == by_hand.as_dict() | {"weighted": weighted.metrics} | trust
    sets = make_dataset(tmp_path / "sets", 64, 32, known="labels", asked="labels")
    assert evaluate_generation(generation, sets.folder).protocol == "multilabel"


def test_of_a_large_database_a_share_of_the_queries_is_ranked_by_weights(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = export(run.folder, tmp_path)
    whole = evaluate_generation(generation, run.config.dataset)
    monkeypatch.setattr("taxohash.evaluation.run.WEIGHED", 12 * 240 + 7)
    found = evaluate_generation(generation, run.config.dataset)
    assert found.metrics == whole.metrics
    assert found.notes == (*whole.notes, "by weights: 12 of the queries, evenly spread")
    hasher, data = Hasher(generation), run.dataset()
    asked, ranked = (
        hasher.encode_query_pixels(data.pixels(split, hasher.generation.preprocessing))
        for split in ("test", "train")
    )
    some = np.linspace(0, 47, 12).astype(int)
    by_hand = evaluate(
        "hierarchical", asked.outputs[some], data.labels("test")[some], ranked.codes, data.labels("train"),
        data.taxonomy, bits=16, ranking="weighted",
    )  # fmt: skip
    assert found.weighted == by_hand.metrics
    monkeypatch.setattr("taxohash.evaluation.run.WEIGHED", 1)
    assert evaluate_generation(generation, run.config.dataset, "barz").notes == ()


def test_what_its_answers_are_worth_comes_with_the_generation(
    run: Run, data: Dataset, tmp_path: Path
) -> None:
    told = read_report(run.folder)
    hasher = Hasher(export(run.folder, tmp_path))
    known = hasher.calibration
    assert known is not None
    assert plain(known) == told["calibration"]
    assert (known.nearest, known.learned_from, known.measured["queries"]) == (10, "train", 48)
    preprocessing = hasher.generation.preprocessing
    asked = hasher.encode_query_pixels(data.pixels("test", preprocessing))
    assert asked.novelty is not None
    assert known.novelty == pytest.approx(
        asked.novelty.max(axis=0), rel=0.01
    )  # 48 are too few to leave any out
    distances, rows = HammingIndex.build(hasher.codes[:240], 16).search(asked.codes, k=10)
    labels = data.labels("train")[rows]
    seen = np.ones(labels.shape, bool)
    shared = known.shared("hamming", distances.astype(float), seen, depths_of(data.taxonomy, labels))
    right = data.taxonomy.ancestors[labels] == data.taxonomy.ancestors[data.labels("test")][:, None]
    there = ~np.isnan(shared)
    assert np.array_equal(there[..., 2], depths_of(data.taxonomy, labels) == 3)
    assert shared[there].mean() == pytest.approx(right[there].mean(), abs=0.05)
    paths = [
        known.predicted("hamming", data.taxonomy, *one) for one in zip(shared, seen, labels, strict=True)
    ]
    first = [
        path[0][0] == data.taxonomy.paths[own][0]
        for path, own in zip(paths, data.labels("test"), strict=True)
        if path
    ]
    assert len(first) > 40
    assert np.mean(first) > 0.8
    flat = np.stack([np.full(preprocessing.shape, colour, np.uint8) for colour in (0, 255)])
    noise = np.random.default_rng(0).integers(0, 256, (20, *preprocessing.shape), np.uint8)
    for strange in (flat, noise):
        found = known.strangeness(hasher.encode_query_pixels(strange).novelty)
        assert found is not None
        assert (found > 1).all()
    assert share_unlike(hasher, fresh(200)) <= 0.1
    assert all(share_unlike(hasher, pictures) >= 0.8 for pictures in foreign(40))
    again = evaluate_generation(hasher.folder, data.folder)
    assert again.calibration["measured"]["unlike"]["known"] == 48


def test_a_map_of_the_codes_travels_with_the_generation(run: Run, tmp_path: Path) -> None:
    hasher = Hasher(export(run.folder, tmp_path))
    assert hasher.projection is not None
    assert plain(hasher.projection) == read_report(run.folder)["projection"]
    places = hasher.projection.places(
        hasher.codes[:240]
    )  # those that it was made of, as the exported hasher makes them
    assert places.mean(axis=0) == pytest.approx([0, 0], abs=0.2)
    assert places.var(axis=0)[0] > places.var(axis=0)[1] > 0
    again = evaluate_generation(hasher.folder, run.config.dataset).projection
    assert again["explained"] == pytest.approx(hasher.projection.explained, abs=0.02)


def share_unlike(hasher: Hasher, pictures: list[bytes]) -> float:
    """How many of some pictures are told to be like nothing that the hasher was made of."""
    preprocessing = hasher.generation.preprocessing
    pixels = np.stack([to_array(decode(one), preprocessing) for one in pictures])
    assert hasher.calibration
    found = hasher.calibration.strangeness(hasher.encode_query_pixels(pixels).novelty)
    assert found is not None
    return float((found > 1).mean())


def fresh(count: int) -> list[bytes]:
    """Pictures of the known classes that neither training nor evaluation has seen."""
    random = np.random.default_rng(9)
    return [picture([number % len(TAXONOMY)], random) for number in range(count)]


def foreign(count: int) -> Iterator[list[bytes]]:
    """Pictures of a class that was not there, and of two sets of other things, as noisy as the known ones."""
    random = np.random.default_rng(10)
    across, down = np.meshgrid(np.arange(SIDE), np.arange(SIDE))

    def grey(pixels: npt.NDArray[np.float64]) -> bytes:
        noisy = pixels + random.normal(0, 12, pixels.shape)
        return png(noisy.clip(0, 255).astype(np.uint8))

    yield [picture([number % 2 * 3, number % 2 * 3 + 1], random) for number in range(count)]  # two bars
    radius = np.hypot(across - 7.5, down - 7.5)
    yield [grey(60 + 120.0 * (np.abs(radius - random.uniform(2, 7)) < 1)) for _ in range(count)]  # rings
    angles = random.uniform(0, 3, count)
    yield [grey(127 + 100 * np.sin(across * np.cos(own) + down * np.sin(own))) for own in angles]  # stripes


def test_nothing_is_told_of_answers_where_it_cannot_be_measured(run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run.folder, copy)
    among = evaluate_run(copy, protocol="barz")
    assert (among.calibration["seen"], among.calibration["novelty"]) == (None, [])
    assert among.calibration["new"]
    assert not (copy / "novelty.safetensors").exists()
    assert not Hasher(export(copy, tmp_path / "generations")).model.tells_novelty
    known = evaluate_run(copy, protocol="barz", queries="train")
    assert known.calibration == {}
    assert known.notes[-1] == "no probabilities of answers: the hasher was trained on the queries"
    few = make_dataset(tmp_path / "few", test=39)
    made = train(few.folder, tmp_path / "few-run", replaced(HASHER, {"training.epochs": 1}))
    assert evaluate_run(made.folder).notes[-1] == "no probabilities of answers: 39 queries are fewer than 40"
    assert Hasher(export(made.folder, tmp_path / "generations")).calibration is None


def test_an_unknown_protocol_is_refused_before_anything_is_encoded(run: Run) -> None:
    with pytest.raises(TaxohashError, match="there is no protocol 'p1'"):
        evaluate_run(run.folder, "absent", protocol="p1")


@pytest.fixture(scope="module")
def of_sets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run that learned nothing of images alone, on a set whose images have sets of labels."""
    folder = tmp_path_factory.mktemp("sets")
    data = make_dataset(folder / "data", 64, 32, known="labels", asked="labels")
    with registered():
        yield train(data.folder, folder / "run", replaced(UNLABELLED, {"training.epochs": 1}))


def test_label_sets_are_graded_by_the_labels_shared(of_sets: Run) -> None:
    report = evaluate_run(of_sets.folder)
    assert report.protocol == "multilabel"
    assert report.notes[-1] == "no probabilities of answers: pictures have sets of labels"
    assert report.counts == {"queries": 32, "database": 64, "bits": 16}
    data, network = of_sets.dataset(), of_sets.network()
    codes, sets = [], []
    for split in ("test", "train"):
        codes.append(encode_pixels(network, data.pixels(split, network.preprocessing)))
        sets.append(np.array([[label in own for label in range(6)] for own in data.label_sets(split)]))
    by_hand = evaluate("multilabel", codes[0], sets[0], codes[1], sets[1], data.taxonomy, bits=16)
    assert report.metrics == by_hand.metrics
    page = (of_sets.folder / "report.html").read_text()
    assert "dark / bar / left, dark / dot" in page
    assert "no label" in page
    assert "Map of codes" not in page
    assert evaluate_run(of_sets.folder, protocol="flat").metrics["mAP"] == report.metrics["mAP"]


def test_a_protocol_that_grades_no_sets_says_which_do(of_sets: Run) -> None:
    for protocol in ("hierarchical", "barz"):
        with pytest.raises(TaxohashError, match=f"'{protocol}' grades one label .*: use flat or multilabel"):
            evaluate_run(of_sets.folder, protocol=protocol)


def test_where_either_split_has_sets_both_are_graded_by_sets(of_sets: Run, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", 64, 32, known="labels", asked="label")
    with registered():
        made = train(data.folder, tmp_path / "run", UNLABELLED)
    with pytest.raises(TaxohashError, match="'hierarchical' grades one label an item, not label sets"):
        evaluate_run(made.folder)
    assert evaluate_run(made.folder, protocol="multilabel").counts["queries"] == 32


def test_images_without_labels_cannot_be_graded(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", 64, 32, known=None)
    blind = make_dataset(tmp_path / "blind", 64, 32, known=None, asked=None)
    with registered():
        for known in (data, blind):
            out = tmp_path / f"run-{known.folder.name}"
            train(known.folder, out, UNLABELLED)
    for run, split in (("run-data", "train"), ("run-blind", "test")):
        with pytest.raises(TaxohashError, match=f"split {split} of .* has no labels to grade answers by"):
            evaluate_run(tmp_path / run)
        assert not (tmp_path / run / "report.json").exists()
    assert evaluate_run(tmp_path / "run-data", protocol="barz").counts["database"] == 31


def test_the_report_shows_what_its_probabilities_are_worth(run: Run) -> None:
    page = (run.folder / "report.html").read_text()
    assert "Reliability of the probabilities" in page
    assert "How far its probabilities can be trusted" in page
    assert "% of 48 known pictures are taken for unlike anything known." in page
    measured = read_report(run.folder)["calibration"]["measured"]
    for database in ("seen", "new"):
        for ranking in ("weighted", "hamming"):
            told = measured[database][ranking]["shared"]["shade"]
            skill = "-" if told["brier_skill"] is None else f"{told['brier_skill']:.2f}"
            assert f"{told['ece']:.3f} / {skill}" in page
