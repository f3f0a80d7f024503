"""A run of a miniature set: complete, continued, refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from taxohash.codes import pack
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.networks.hashing import encode_pixels
from taxohash.training.checkpoint import CHECKPOINT, save_checkpoint
from taxohash.training.config import TrainingConfig
from taxohash.training.fit import embed
from taxohash.training.run import Run, train
from tests.support.miniature import CONFIG


def weights(run: Run) -> dict[str, torch.Tensor]:
    return dict(run.network().state_dict())


def test_a_run_directory_is_complete(run: Run) -> None:
    names = {path.name for path in run.folder.iterdir()}
    assert names == {
        "config.json",
        "log.jsonl",
        "curves.png",
        "weights.safetensors",
        "report.json",
        "report.html",
    }
    assert len((run.folder / "log.jsonl").read_text().splitlines()) == CONFIG.epochs


def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    data: Dataset, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = 0

    def save_and_stop(*arguments: object) -> None:
        nonlocal saved
        save_checkpoint(*arguments)  # type: ignore[arg-type]
        saved += 1
        if saved == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("taxohash.training.fit.save_checkpoint", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        train(data.folder, tmp_path, bits=16, training=CONFIG)
    assert (tmp_path / CHECKPOINT).exists()
    with pytest.raises(TaxohashError, match="was not finished"):
        Run.open(tmp_path)
    continued = train(data.folder, tmp_path, bits=16, training=CONFIG)
    assert saved == 3
    for name, tensor in weights(run).items():
        assert torch.equal(tensor, weights(continued)[name]), name
    assert not (tmp_path / CHECKPOINT).exists()


def test_a_finished_run_is_not_trained_again(
    run: Run, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taxohash.training.fit.fit", None)
    assert train(data.folder, run.folder, bits=16, training=CONFIG).config == run.config


def test_seeds_differ(run: Run, data: Dataset, tmp_path: Path) -> None:
    other = train(data.folder, tmp_path, bits=16, training=replace(CONFIG, seed=1, epochs=1))
    assert not torch.equal(weights(run)["hash.weight"], weights(other)["hash.weight"])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"bits": 32}, "holds a run with bits = 16, not 32"),
        ({"objective": "dcwh"}, "objective = shpdh"),
        ({"training": replace(CONFIG, lr=0.5)}, "holds a run with training"),
        ({"options": {"vertex": 0.2}}, "holds a run with options"),
    ],
)
def test_another_configuration_needs_another_directory(
    run: Run, data: Dataset, changed: dict[str, object], said: str
) -> None:
    wanted: dict[str, object] = {"bits": 16, "training": CONFIG} | changed
    with pytest.raises(TaxohashError, match=said):
        train(data.folder, run.folder, **wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objective": "magic"}, "objective 'magic' is not known"),
        ({"objective": "itq"}, "objective 'itq' trains no network with binary codes: use one of csq, "),
        ({"objective": "hierarchy_embedding"}, "trains no network with binary codes"),
        ({"options": {"magic": 1}}, "magic is not known"),
        ({"options": {"vertex": "much"}}, 'vertex = "much"'),
        ({"options": {"inverse_variances": [1.0]}}, "has 1 values but the taxonomy 'miniature' has 3 levels"),
        ({"bits": 8}, "bits = 8"),
        ({"bits": 512}, "bits = 512"),
        ({"backbone": "huge"}, "network 'huge' is not known"),
        ({"size": 500}, "takes images of 16 to 64 px, not 500"),
        ({"split": "dev"}, "has no split 'dev'"),
    ],
)
def test_bad_configurations_are_one_line_and_leave_nothing(
    data: Dataset, tmp_path: Path, options: dict[str, object], said: str
) -> None:
    with pytest.raises(TaxohashError, match=said):
        train(data.folder, tmp_path / "run", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["epochs", "batch", "lr"])
def test_training_needs_positive_numbers(name: str) -> None:
    with pytest.raises(TaxohashError, match=f"{name} = 0"):
        TrainingConfig(**{name: 0})  # type: ignore[arg-type]


def test_a_loss_that_is_not_finite_stops_with_a_remedy(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match="lower lr"):
        train(data.folder, tmp_path, bits=16, training=TrainingConfig(epochs=2, lr=1e30, optimiser="sgd"))


def test_a_damaged_checkpoint_says_what_to_do(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"no tensors")
    with pytest.raises(TaxohashError, match="delete it to start again"):
        train(data.folder, tmp_path, bits=16, training=CONFIG)


def test_batched_encoding_is_encoding(run: Run, data: Dataset) -> None:
    network = run.network()
    pixels = data.pixels("test", network.preprocessing)
    whole = pack(embed(network, torch.from_numpy(pixels)).numpy())
    assert np.array_equal(encode_pixels(network, pixels, batch=7), whole)
