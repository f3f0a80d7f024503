"""From an evaluated run to a generation."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import read_report
from taxohash.evaluation.run import evaluate_generation, evaluate_run
from taxohash.generation.hasher import CENTRES, CODES, Hasher
from taxohash.generation.manifest import Generation
from taxohash.networks.hashing import encode_pixels
from taxohash.release.export import export
from taxohash.release.onnx import check_equal
from taxohash.runtime.configuration import replaced
from taxohash.training.run import Run, train
from tests.support.miniature import HASHER


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
    assert np.array_equal(codes, encode_pixels(network, pixels))
    assert np.array_equal(codes, hasher.encode_pixels(pixels))
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
    centres = np.load(folder / CENTRES, allow_pickle=False)
    distances = np.bitwise_count(codes[:, None] ^ centres[None]).sum(axis=2)
    assert (distances.argmin(axis=1) == data.labels("train")).mean() > 0.5  # chance is 1/6


def test_what_was_exported_before_is_used_again_unless_damaged(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from taxohash.release import export as exporting

    committed = {"version": "1", "commit": "0" * 40, "command": "taxohash"}
    monkeypatch.setattr(exporting, "revision", lambda: committed)
    folder = export(run.folder, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(exporting, "write_onnx", lambda *_: pytest.fail("exported again"))
        assert export(run.folder, tmp_path) == folder
    (folder / CODES).write_bytes(b"damaged")
    assert export(run.folder, tmp_path) == folder
    assert Generation.load(folder).id == folder.name


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
