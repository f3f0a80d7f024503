"""Training, evaluation and export of a miniature set, from data to a generation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from taxohash.codes import pack
from taxohash.datasets import Dataset
from taxohash.encoding import encode_files
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import read_report
from taxohash.evaluation.run import evaluate_generation, evaluate_run
from taxohash.generation.hasher import CENTRES, CODES, Hasher
from taxohash.generation.manifest import Generation
from taxohash.networks.hashing import encode_pixels
from taxohash.protocols import evaluate
from taxohash.release.export import export
from taxohash.release.onnx import check_equal
from taxohash.taxonomy import Taxonomy
from taxohash.training.checkpoint import CHECKPOINT, save_checkpoint
from taxohash.training.config import TrainingConfig
from taxohash.training.fit import embed
from taxohash.training.run import Run, train
from tests.miniature import make_dataset

CONFIG = TrainingConfig(epochs=3, batch=32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("set") / "data")


@pytest.fixture(scope="module")
def run(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = train(data.folder, tmp_path_factory.mktemp("run"), bits=16, training=CONFIG)
    evaluate_run(made.folder)
    return made


def weights(run: Run) -> dict[str, torch.Tensor]:
    return dict(run.network().state_dict())


def test_it_learns_the_hierarchy(run: Run) -> None:
    metrics = read_report(run.folder)["metrics"]
    assert metrics["mAP"] > 0.5  # chance is 1/6
    assert metrics["mAP/shade"] > 0.8  # chance is 1/2


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
        ({"options": {"magic": 1}}, "has no option 'magic'"),
        ({"options": {"vertex": "much"}}, "vertex = 'much'"),
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


def test_a_damaged_checkpoint_says_what_to_do(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"no tensors")
    with pytest.raises(TaxohashError, match="delete it to start again"):
        train(data.folder, tmp_path, bits=16, training=CONFIG)


def test_batched_encoding_is_encoding(run: Run, data: Dataset) -> None:
    network = run.network()
    pixels = data.pixels("test", network.preprocessing)
    whole = pack(embed(network, torch.from_numpy(pixels)).numpy())
    assert np.array_equal(encode_pixels(network, pixels, batch=7), whole)


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
    assert np.array_equal(codes, hasher.encode(pixels))
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
    run = train(data.folder, tmp_path / "run", objective="treecode", bits=20, training=CONFIG)
    assert evaluate_run(run.folder).metrics["mAP"] > 0.5
    folder = export(run.folder, tmp_path / "generations")
    hasher, network = Hasher(folder), run.network()
    pixels = data.pixels("train", network.preprocessing)
    codes = encode_pixels(network, pixels)
    assert codes.shape == (len(pixels), 3)
    assert np.array_equal(codes, hasher.encode(pixels))
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
    made = train(data.folder, tmp_path / "run", bits=16, training=replace(CONFIG, epochs=1))
    with pytest.raises(TaxohashError, match="taxohash evaluate"):
        export(made.folder, tmp_path / "generations")


def test_files_are_encoded_alike_by_run_and_generation(run: Run, data: Dataset, tmp_path: Path) -> None:
    folder = export(run.folder, tmp_path / "generations")
    files = []
    for row, image in enumerate(data.images("test", [0, 1, 2])):
        files.append(tmp_path / f"{row}.png")
        files[-1].write_bytes(image)
    assert np.array_equal(encode_files(run.folder, files), encode_files(folder, files))
    files[1].write_bytes(b"nothing")
    with pytest.raises(TaxohashError, match=r"1\.png: image of 7 bytes cannot be decoded"):
        encode_files(folder, files)
    with pytest.raises(TaxohashError, match="cannot be read"):
        encode_files(folder, [tmp_path / "none.png"])
