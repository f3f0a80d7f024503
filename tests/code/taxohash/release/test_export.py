"""From an evaluated run to a generation."""

import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from taxohash.codes import unpack
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import read_report
from taxohash.evaluation.run import evaluate_generation, evaluate_run
from taxohash.generation.canaries import Canaries
from taxohash.generation.hasher import CENTRES, CODES, Hasher
from taxohash.generation.keys import Keys
from taxohash.generation.manifest import Generation
from taxohash.networks.hashing import encode_pixels
from taxohash.release.export import export
from taxohash.release.onnx import check_equal
from taxohash.release.signing import SigningKey
from taxohash.runtime.configuration import replaced
from taxohash.training.run import Run, train
from tests.support.miniature import HASHER
from tests.support.signing import make_key


def test_export_makes_a_generation_whose_codes_are_the_networks(
    run: Run, data: Dataset, tmp_path: Path
) -> None:
    folder = export(run.folder, tmp_path)
    generation = Generation.load(folder)
    assert folder.name == generation.id
    assert generation.evaluation["headline"] == read_report(run.folder)["headline"]
    hasher, network = Hasher(folder), run.network()
    pixels = data.pixels("train", network.preprocessing)
    codes = np.load(folder / CODES, allow_pickle=False)
    assert generation.database == [{"split": "train", "rows": 240}, {"split": "test", "rows": 48}]
    assert np.array_equal(codes[:240], encode_pixels(network, pixels))
    assert np.array_equal(codes[:240], hasher.encode_pixels(pixels))
    assert np.array_equal(codes[240:], hasher.encode_pixels(data.pixels("test", network.preprocessing)))
    assert np.load(folder / CENTRES, allow_pickle=False).shape == (6, 2)
    assert export(run.folder, tmp_path) == folder
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    report = evaluate_generation(folder, data.folder)
    assert report.headline == pytest.approx(generation.evaluation["headline"])
    assert evaluate_generation(folder, data.folder, "barz").counts == {
        "queries": 48,
        "database": 47,
        "bits": 16,
    }


def test_a_network_whose_outputs_are_not_the_bits_is_exported_with_its_code_layer(
    data: Dataset, tmp_path: Path
) -> None:
    run = train(data.folder, tmp_path / "run", replaced(HASHER, {"objective.name": "treecode", "bits": 20}))
    assert evaluate_run(run.folder).metrics["mAP"] > 0.5
    folder = export(run.folder, tmp_path / "generations")
    hasher, network = Hasher(folder), run.network()
    pixels = data.pixels("train", network.preprocessing)
    codes = encode_pixels(network, pixels)
    assert codes.shape == (len(pixels), 3)
    assert np.array_equal(codes, hasher.encode_pixels(pixels))
    assert np.array_equal(codes, np.load(folder / CODES, allow_pickle=False)[: len(codes)])
    centres = np.load(folder / CENTRES, allow_pickle=False)
    distances = np.bitwise_count(codes[:, None] ^ centres[None]).sum(axis=2)
    assert (distances.argmin(axis=1) == data.labels("train")).mean() > 0.5  # chance is 1/6


def test_what_is_told_of_quality_bits_and_drift_does_not_depend_on_what_is_indexed(
    run: Run, data: Dataset, tmp_path: Path
) -> None:
    made = {
        splits: Generation.load(export(run.folder, tmp_path, splits=splits))
        for splits in [(), ("train",), ("test",), ("test", "train")]
    }
    assert made[()].id == made["test", "train"].id  # in the order of the set
    assert len({generation.id for generation in made.values()}) == 3
    names = ("nearest_distance", "class_share")
    told = [(g.evaluation, g.bit_health, [g.reference[name] for name in names]) for g in made.values()]
    asked = [g.reference["asked"] for g in made.values()]
    assert all(other == told[0] for other in told)
    assert all(one["bit_share"] == asked[0]["bit_share"] for one in asked)  # but what they find is another
    sizes = {len(np.load(tmp_path / g.id / CODES)) for g in made.values()}
    assert sizes == {240, 48, 288}
    hasher = Hasher(tmp_path / made[()].id)
    train, test = (
        unpack(hasher.encode_pixels(data.pixels(split, hasher.generation.preprocessing)), 16)
        for split in ("train", "test")
    )
    nearest = [min((query != code).sum() for code in train) for query in test]
    assert made[()].reference["nearest_distance"] == np.bincount(nearest, minlength=17).tolist()
    assert made[()].bit_health["balance"] == pytest.approx(train.mean(axis=0), abs=1e-6)
    assert made[()].evaluation["queries"] == "test"


def test_the_canary_is_never_trained_on_nor_indexed(data: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data.folder, folder)
    shutil.copy(folder / "test.parquet", folder / "canary.parquet")
    with pytest.raises(TaxohashError, match="split 'canary' is never trained on: it is kept apart"):
        train(folder, tmp_path / "run", HASHER, split="canary")
    assert not (tmp_path / "run").exists()
    run = train(folder, tmp_path / "run", replaced(HASHER, {"training.epochs": 1}))
    evaluate_run(run.folder)
    generation = Generation.load(export(run.folder, tmp_path / "generations"))
    assert [part["split"] for part in generation.database] == ["train", "test"]
    travelling = Canaries.load(tmp_path / "generations" / generation.id)
    canaries = Dataset.open(folder)
    assert travelling is not None
    assert travelling.pictures == tuple(canaries.images("canary"))
    assert travelling.labels == tuple(map(tuple, canaries.item_labels("canary")))
    with pytest.raises(TaxohashError, match="split 'canary' is never indexed: it is kept apart"):
        export(run.folder, tmp_path / "generations", splits=["train", "canary"])


def test_a_set_without_test_is_exported_with_the_queries_of_its_report(data: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data.folder, folder)
    (folder / "test.parquet").rename(folder / "held-out.parquet")
    run = train(folder, tmp_path / "run", replaced(HASHER, {"training.epochs": 1}))
    evaluate_run(run.folder, queries="held-out")
    generation = Generation.load(export(run.folder, tmp_path / "generations"))
    assert generation.evaluation["queries"] == "held-out"
    assert sum(generation.reference["nearest_distance"]) == 48


def test_queries_that_are_the_training_split_are_not_their_own_nearest(run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run.folder, copy)
    evaluate_run(copy, protocol="barz", queries="train")
    generation = Generation.load(export(copy, tmp_path / "generations"))
    codes = unpack(np.load(tmp_path / "generations" / generation.id / CODES)[:240], 16).astype(int)
    distances = np.abs(codes[:, None] - codes[None]).sum(axis=2) + 99 * np.eye(240, dtype=int)
    assert (
        generation.reference["nearest_distance"] == np.bincount(distances.min(axis=1), minlength=17).tolist()
    )


@pytest.mark.parametrize("provenance", [None, [], "test", {}, {"queries": ["test"]}])
def test_a_report_that_does_not_say_who_asked_is_one_line(
    run: Run, tmp_path: Path, provenance: object
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run.folder, copy)
    report = read_report(copy) | {"provenance": provenance}
    (copy / "report.json").write_text(json.dumps(report))
    with pytest.raises(TaxohashError, match="does not say which split asked: run `taxohash evaluate` again"):
        export(copy, tmp_path / "generations")


def test_what_was_exported_before_is_used_again_unless_damaged(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed = {"version": "1", "commit": "0" * 40, "command": "taxohash"}
    for module in ("export", "draft"):
        monkeypatch.setattr(f"taxohash.release.{module}.revision", lambda: committed)
    folder = export(run.folder, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("taxohash.release.onnx.write_onnx", lambda *_: pytest.fail("exported again"))
        assert export(run.folder, tmp_path) == folder
    (folder / CODES).write_bytes(b"damaged")
    assert export(run.folder, tmp_path) == folder
    assert Generation.load(folder).id == folder.name


def test_with_a_key_it_is_signed_also_where_it_was_made_before(run: Run, tmp_path: Path) -> None:
    private, public = make_key(tmp_path / "key.pem")
    key, out = SigningKey.load(private), tmp_path / "generations"
    folder = export(run.folder, out)
    before = Generation.load(folder)
    assert export(run.folder, out, key=key) == folder
    assert Generation.load_signed(folder, Keys.load(public)) == before
    assert [path.name for path in out.iterdir()] == [folder.name]


def test_an_export_that_disagrees_is_refused(run: Run, data: Dataset, tmp_path: Path) -> None:
    from taxohash.generation.hasher import MODEL, Model

    folder = export(run.folder, tmp_path)
    network = run.network()
    with torch.no_grad():
        network.hash.bias.add_(0.5)
    with pytest.raises(TaxohashError, match="differs in"):
        check_equal(network, Model(folder / MODEL), data.pixels("test", network.preprocessing))


def test_export_wants_a_report(data: Dataset, tmp_path: Path) -> None:
    made = train(data.folder, tmp_path / "run", replaced(HASHER, {"training.epochs": 1}))
    with pytest.raises(TaxohashError, match="taxohash evaluate"):
        export(made.folder, tmp_path / "generations")


def test_generations_stay_out_of_the_data(data: Dataset, run: Run) -> None:
    before = sorted(data.folder.iterdir())
    with pytest.raises(TaxohashError, match=r"lies inside the data set .* would change its md5"):
        export(run.folder, data.folder / "generations")
    assert sorted(data.folder.iterdir()) == before


def test_weights_are_read_once_and_the_network_is_built_once(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from taxohash.networks import hashing
    from taxohash.training import checkpoint

    calls: list[str] = []

    def counted(module: ModuleType, name: str) -> None:
        original = getattr(module, name)

        def call(*arguments: Any) -> Any:
            calls.append(name)
            return original(*arguments)

        monkeypatch.setattr(module, name, call)

    counted(checkpoint, "read_weights")
    counted(hashing, "network")
    export(run.folder, tmp_path)
    assert calls == ["read_weights", "network"]
