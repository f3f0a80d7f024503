"""A run of a miniature set: complete, continued, refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from taxohash.codes import pack
from taxohash.datasets import Dataset
from taxohash.datasets.png import encode_png
from taxohash.datasets.writer import Row, write_dataset, write_split
from taxohash.errors import TaxohashError
from taxohash.images import READER
from taxohash.networks.hashing import encode_pixels
from taxohash.objectives import config_of
from taxohash.runtime.configuration import plain, replaced
from taxohash.taxonomy import Taxonomy
from taxohash.training.checkpoint import CHECKPOINT, save_checkpoint
from taxohash.training.fit import embed
from taxohash.training.run import Run, train
from tests.support.configurations import untrained
from tests.support.miniature import HASHER


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
        "scores.npz",
        "novelty.safetensors",
    }
    assert len((run.folder / "log.jsonl").read_text().splitlines()) == HASHER.training.epochs


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
        train(data.folder, tmp_path, HASHER)
    assert (tmp_path / CHECKPOINT).exists()
    with pytest.raises(TaxohashError, match="was not finished"):
        Run.open(tmp_path)
    continued = train(data.folder, tmp_path, HASHER)
    assert saved == 3
    for name, tensor in weights(run).items():
        assert torch.equal(tensor, weights(continued)[name]), name
    assert not (tmp_path / CHECKPOINT).exists()


def test_a_finished_run_is_not_trained_again(
    run: Run, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taxohash.training.fit.fit", None)
    assert train(data.folder, run.folder, HASHER).config == run.config


def test_seeds_differ(run: Run, data: Dataset, tmp_path: Path) -> None:
    other = train(data.folder, tmp_path, replaced(HASHER, {"training.seed": 1, "training.epochs": 1}))
    assert not torch.equal(weights(run)["hash.weight"], weights(other)["hash.weight"])


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("bits", 32, "holds a run with bits = 16, not 32: choose another --out"),
        ("objective.name", "dcwh", 'objective.name = "shpdh", not "dcwh"'),
        ("objective.options.vertex", 0.2, "objective.options.vertex = 0.1, not 0.2"),
        (
            "objective.options.level_weights",
            [1, 1, 1],
            r"objective.options.level_weights = \[\], not \[1.0, 1.0, 1.0\]",
        ),
        ("training.lr", 0.5, "holds a run with training.lr = 0.1, not 0.5"),
        ("network.size", 32, "network.size = 16, not 32"),
        ("network.channels", 3, "network.channels = 1, not 3"),
    ],
)
def test_another_configuration_needs_another_directory(
    run: Run, data: Dataset, path: str, value: object, said: str
) -> None:
    with pytest.raises(TaxohashError, match=said):
        train(data.folder, run.folder, replaced(HASHER, {path: value}))


def test_defaults_written_out_change_nothing(run: Run, data: Dataset) -> None:
    written = {
        "objective.options": {"vertex": 0.1, "level_weights": []},
        "network.size": 16,
        "network.channels": 1,
        "training.lr": 0.1,
    }
    assert train(data.folder, run.folder, replaced(HASHER, written)).config == run.config
    assert Run.open(run.folder).config == run.config


def test_one_picture_in_the_first_row_decides_nothing(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taxohash.training.fit.fit", untrained)
    told: list[str] = []
    monkeypatch.setattr("taxohash.training.run.announce", told.append)
    colours = np.random.default_rng(0).integers(0, 256, (11, 40, 30, 3), np.uint8)
    images = [encode_png(np.zeros((1, 1), np.uint8)), *map(encode_png, colours)]
    shutil.copytree(data.folder, tmp_path / "data")
    rows = [Row(image, f"{row}.png", row % 6) for row, image in enumerate(images)]
    write_split(tmp_path / "data" / "train.parquet", rows)
    found = train(tmp_path / "data", tmp_path / "found", HASHER).config.network
    assert (found.size, found.channels) == (40, 3)
    assert told == ["small-resnet, input 40 px, RGB: 12 pictures of 1 to 40 px, 1 grey"]
    chosen = replaced(HASHER, {"network.size": 20, "network.channels": 1})
    run = train(tmp_path / "data", tmp_path / "chosen", chosen)
    assert (run.config.network.size, run.config.network.channels) == (20, 1)
    assert run.network().preprocessing.shape == (1, 20, 20)
    assert told[1:] == ["small-resnet, input 20 px, grey: 12 pictures of 1 to 40 px, 1 grey"]
    train(tmp_path / "data", tmp_path / "chosen", chosen)
    assert len(told) == 2  # nothing is taken for what is trained already


def test_data_that_have_moved_are_asked_for(run: Run, tmp_path: Path) -> None:
    moved = replace(run, config=replace(run.config, dataset=str(tmp_path / "gone")))
    with pytest.raises(
        TaxohashError, match=r"gone of run .* is not there: name its folder now, by --data or data="
    ):
        moved.dataset()
    assert moved.dataset(run.config.dataset).md5() == run.config.dataset_md5


def test_losses_that_are_zero_are_drawn_without_a_warning(tmp_path: Path) -> None:
    """As of a set that has one class only."""
    one = Taxonomy("one", (("only",),))
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 16), np.uint8)
    write_dataset(
        tmp_path / "data", one, [("train", [Row(encode_png(p), str(i), 0) for i, p in enumerate(pixels)])]
    )
    chosen = replaced(HASHER, {"objective.name": "treecode", "training.epochs": 1})
    assert (train(tmp_path / "data", tmp_path / "run", chosen).folder / "curves.png").is_file()


def test_the_run_records_its_whole_configuration(run: Run) -> None:
    recorded = json.loads((run.folder / "config.json").read_text())["config"]
    assert recorded["objective"]["options"] == config_of(run.trained(run.dataset())[1])
    assert recorded["network"] == {"name": "small-resnet", "size": 16, "channels": 1, "freeze": False}
    assert recorded["training"] == plain(HASHER.training)


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        (
            {"objective": "shpdh", "options": {}, "bits": 16},
            'objective = "shpdh": give an object with name, options',
        ),
        ({"bits": 16}, "network is missing"),
        ([], "is no configuration"),
    ],
)
def test_what_an_older_version_recorded_is_trained_again(
    run: Run, data: Dataset, tmp_path: Path, recorded: object, said: str
) -> None:
    shutil.copytree(run.folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.json").write_text(json.dumps({"config": recorded, "provenance": {}}))
    said = rf"{said}.*: train again into another directory"
    with pytest.raises(TaxohashError, match=said):
        Run.open(tmp_path)
    with pytest.raises(TaxohashError, match=said):
        train(data.folder, tmp_path, HASHER)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("objective.name", "magic", "objective 'magic' is not known"),
        ("objective.name", "itq", "objective 'itq' trains no network with binary codes: use one of csq, "),
        ("objective.name", "hierarchy_embedding", "trains no network with binary codes"),
        (
            "objective.options.magic",
            1,
            "objective 'shpdh': magic is not known: use one of inverse_variances, ",
        ),
        (
            "objective.options.vertex",
            "much",
            "objective 'shpdh': vertex = \"much\": give a number of at least 0",
        ),
        (
            "objective.options.inverse_variances",
            [1.0],
            "has 1 values but the taxonomy 'miniature' has 3 levels",
        ),
        ("network.name", "huge", "network 'huge' is not known"),
        ("network.size", 500, "takes images of 16 to 64 px, not 500"),
    ],
)
def test_bad_configurations_are_one_line_and_leave_nothing(
    data: Dataset, tmp_path: Path, path: str, value: object, said: str
) -> None:
    with pytest.raises(TaxohashError, match=said):
        train(data.folder, tmp_path / "run", replaced(HASHER, {path: value}))
    assert not (tmp_path / "run").exists()


def test_a_run_stays_out_of_its_data(data: Dataset) -> None:
    before = sorted(data.folder.iterdir())
    with pytest.raises(TaxohashError, match=r"lies inside the data set .* would change its md5"):
        train(data.folder, data.folder / "run", HASHER)
    assert sorted(data.folder.iterdir()) == before


def test_a_split_that_is_not_there_leaves_nothing(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match="has no split 'dev'"):
        train(data.folder, tmp_path / "run", HASHER, split="dev")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_with_a_remedy(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match=r"at first within .* lower lr = 1e\+30"):
        train(data.folder, tmp_path, replaced(HASHER, {"training.lr": 1e30}))


def test_a_damaged_checkpoint_says_what_to_do(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"no tensors")
    with pytest.raises(TaxohashError, match="delete it to start again"):
        train(data.folder, tmp_path, HASHER)


def test_batched_encoding_is_encoding(run: Run, data: Dataset) -> None:
    network = run.network()
    pixels = data.pixels("test", network.preprocessing)
    whole = pack(embed(network, torch.from_numpy(pixels)).numpy())
    assert np.array_equal(encode_pixels(network, pixels, batch=7), whole)


def test_a_run_says_which_reader_its_images_had(run: Run, tmp_path: Path) -> None:
    assert run.config.reader == run.network().preprocessing.reader == READER
    shutil.copytree(run.folder, tmp_path / "run")
    file = tmp_path / "run" / "config.json"
    recorded = json.loads(file.read_text())
    del recorded["config"]["reader"]  # as before there was a second one
    file.write_text(json.dumps(recorded))
    assert Run.open(tmp_path / "run").network().preprocessing.reader == 1
    recorded["config"]["reader"] = 9
    file.write_text(json.dumps(recorded))
    with pytest.raises(TaxohashError, match="images are to be read by reader 9"):
        Run.open(tmp_path / "run").network()
