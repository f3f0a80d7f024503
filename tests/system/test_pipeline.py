"""The retraining pipeline with kfp.local, on a miniature set, against a real code store."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.retrain import steps
from pipelines.retrain.steps import run_folder
from services.codestore import CodeStore
from services.codestore.pictures import Pictures
from taxohash.datasets import Dataset
from taxohash.generation.hasher import CODES
from taxohash.generation.manifest import Generation
from taxohash.images import read_pixels
from taxohash.runtime.configuration import replaced
from taxohash.taxonomy import Taxonomy
from taxohash.training.checkpoint import CHECKPOINT
from taxohash.training.config import HasherConfig, TrainingConfig
from taxohash.training.run import Run
from tests.support.application import engine_of
from tests.support.miniature import make_dataset
from tests.support.toy_objectives import registered

pytestmark = pytest.mark.system
COLLECTION = "pipeline-test"
BITS, EPOCHS, IMAGES, QUERIES = 16, 4, 1800, 48


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("set") / "data", train=IMAGES)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def environment(redis_url: str, home: Path) -> dict[str, str]:
    """What the pipeline's processes are told."""
    own = {
        "TAXOHASH_REDIS_URL": redis_url,
        "TAXOHASH_PICTURES": str(home.with_name(f"{home.name}-pictures")),
        "OMP_NUM_THREADS": "1",
    }
    return os.environ | own


def retrain(redis_url: str, data: Path, home: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pipelines.cli.main", "run", "--data", str(data), "--home", str(home)]
    return subprocess.run(
        [*command, "--collection", COLLECTION, "--bits", str(BITS), "--epochs", str(EPOCHS), *options],
        env=environment(redis_url, home) | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def reported(done: "subprocess.CompletedProcess[str]") -> Path:
    """The report that the last line names."""
    _, _, path = done.stderr.replace("\n", "").rpartition("report: ")
    assert path.endswith("report.html")
    return Path(path)


def published(redis_url: str) -> str | None:
    with CodeStore.connect(redis_url) as store:
        found = store.published(COLLECTION)
        return found.id if found else None


def test_publish_repeat_and_refuse(redis_url: str, data: Dataset, home: Path) -> None:
    first = retrain(redis_url, data.folder, home)
    assert first.returncode == 0, first.stdout[-3000:]
    assert reported(first).is_file()
    champion = published(redis_url)
    assert champion is not None
    assert Generation.load(home / "generations" / champion).dataset_md5 == data.md5()
    with CodeStore.connect(redis_url) as store:
        assert store.count(COLLECTION, champion) == IMAGES + QUERIES
        snapshot = store.snapshot(COLLECTION, champion)
        ids = [f"train/{row:04d}" for row in range(IMAGES)] + [f"test/{row:04d}" for row in range(QUERIES)]
        assert sorted(snapshot.ids) == sorted(ids)
        rows = [list(snapshot.ids).index(item_id) for item_id in ids]
        codes = np.load(home / "generations" / champion / CODES, allow_pickle=False)
        assert np.array_equal(snapshot.codes[rows], codes)
        labels = [*data.labels("train"), *data.labels("test")]
        assert [snapshot.labels[row].tolist() for row in rows] == [[label] for label in labels]
        item = store.item(COLLECTION, "train/0007", champion)
        assert item is not None
        pictures = Pictures.open(environment(redis_url, home)["TAXOHASH_PICTURES"])
        assert pictures.get(item.thumbnail) == next(data.images("train", [7]))
        publish = next(entry for entry in store.audit(COLLECTION) if entry.operation == "publish")
        assert (publish.generation, publish.previous) == (champion, "")
        assert publish.who.startswith("pipeline taxohash-retrain")
        assert publish.why.startswith("challenger is not below the floor")

    # A default that is written out is checked, and then is the same configuration.
    again = retrain(redis_url, data.folder, home, "--option", "coarse=0.5", "--lr", "1e-1")
    assert again.returncode == 0, again.stdout[-3000:]
    assert again.stdout.count("cache hit") == 3  # data, train and evaluate
    assert published(redis_url) == champion

    plant_worse(data, home, seed=3)
    worse = retrain(redis_url, data.folder, home, "--seed", "3")
    assert worse.returncode == 0, worse.stdout[-3000:]
    assert reported(worse).is_file()
    assert "refused: challenger is below the champion" in worse.stdout
    assert "not published: challenger is below the champion" in worse.stdout
    assert published(redis_url) == champion


def plant_worse(data: Dataset, home: Path, seed: int) -> None:
    """Leave a finished training whose network gives every image one code.

    Not random weights: a random projection of learned features can rank better than the champion.
    """
    first = replaced(HasherConfig(), {"bits": BITS, "training.epochs": EPOCHS}).completed()
    other = replaced(first, {"training.seed": seed})
    source, target = (run_folder(str(home), data.md5(), config) for config in (first, other))
    shutil.copytree(source, target)
    config = json.loads((target / "config.json").read_text())
    config["config"]["training"]["seed"] = seed
    (target / "config.json").write_text(json.dumps(config))
    weights = load_file(target / "weights.safetensors")
    weights["network.hash.weight"] = torch.zeros_like(weights["network.hash.weight"])
    save_file(weights, target / "weights.safetensors")


def test_a_bad_option_is_refused_before_anything_is_trained(data: Dataset, tmp_path: Path) -> None:
    done = retrain("redis://127.0.0.1:1", data.folder, tmp_path / "home", "--option", "magic=1")
    assert done.returncode == 1
    (line,) = (line.strip() for line in done.stdout.splitlines() if line.strip().startswith("error: "))
    assert line.startswith("error: objective 'treecode': magic is not known: use one of flip, ")
    assert "Traceback" not in done.stdout
    assert not (tmp_path / "home" / "runs").exists()


@pytest.fixture(scope="module")
def untaught(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What a pipeline said, and its home, whose labels are shuffled and whose every part of the configuration is chosen."""
    folder = tmp_path_factory.mktemp("untaught")
    shuffled = make_dataset(folder / "data", train=IMAGES, shuffled=True)
    file = folder / "config.json"
    file.write_text('{"objective": {"name": "csq"}, "network": {"size": 24}, "training": {"batch": 64}}')
    chosen = (
        "--config",
        str(file),
        "--option",
        "quantisation=0.5",
        "--augment",
        "crop",
        "--set",
        "training.clip=2",
    )
    done = retrain(redis_url, shuffled.folder, folder / "home", "--collection", "untaught", *chosen)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout, folder / "home"


def test_any_field_is_chosen_by_the_one_parameter(untaught: tuple[str, Path]) -> None:
    (folder,) = (untaught[1] / "runs").iterdir()
    config = Run.open(folder).config
    assert (config.objective.name, config.objective.options) == ("csq", {"quantisation": 0.5, "seed": 0})
    assert (config.bits, config.network.size) == (BITS, 24)
    assert config.training == TrainingConfig(epochs=EPOCHS, batch=64, augment="crop", clip=2.0)


def test_a_hasher_that_learned_nothing_meets_the_floors(untaught: tuple[str, Path], redis_url: str) -> None:
    said, home = untaught
    assert "not published: challenger is below the floor" in said
    with CodeStore.connect(redis_url) as store:
        assert not (home / "generations").exists()
        store.ping()


def test_what_the_store_would_refuse_is_refused_before_anything_is_trained(
    redis_url: str, data: Dataset, tmp_path: Path
) -> None:
    other = Taxonomy("other", (("a",), ("b",)))
    with CodeStore.connect(redis_url) as store:
        store.create("other-tree", other)
    done = retrain(redis_url, data.folder, tmp_path / "home", "--collection", "other-tree")
    assert done.returncode == 1
    (said,) = (line.strip() for line in done.stdout.splitlines() if line.strip().startswith("error: "))
    assert "keeps its levels" in said
    assert not (tmp_path / "home" / "runs").exists()


@pytest.mark.parametrize("whole_group", [True, False], ids=["Ctrl-C in a terminal", "kill -INT"])
def test_ctrl_c_says_in_one_line_that_repeating_goes_on(
    redis_url: str, data: Dataset, tmp_path: Path, whole_group: bool
) -> None:
    command = [sys.executable, "-m", "pipelines.runners.local", "--data", str(data.folder)]
    command += ["--home", str(tmp_path), "--collection", "interrupted", "--bits", "16", "--epochs", "200"]
    process = subprocess.Popen(
        command,
        env=environment(redis_url, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 2/" in line:
            break
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "pipeline interrupted: the same command goes on from here"
    assert "Traceback" not in err
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nothing is left of it
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / CHECKPOINT).is_file()


def test_a_failing_step_says_why_in_one_line(data: Dataset, home: Path) -> None:
    done = retrain("redis://127.0.0.1:1", data.folder, home)
    assert done.returncode == 1
    said = [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("error: ")]
    assert len(said) == 1
    assert "127.0.0.1:1" in said[0]
    assert "Traceback" not in done.stdout


def test_images_with_sets_of_labels_are_published_and_found_by_any_of_them(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(redis_url, tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    sets = make_dataset(tmp_path / "data", known="labels", asked="labels")
    data, run, out = str(sets.folder), str(tmp_path / "run"), str(tmp_path / "evaluated")
    generations = str(tmp_path / "generations")
    config = json.dumps({"objective": {"name": "toy-sets"}, "bits": BITS, "training": {"epochs": EPOCHS}})
    steps.check_data(data, sets.md5())
    with registered():
        steps.train_hasher(data, str(tmp_path / "work"), steps.check_config(config), run)
        steps.evaluate_hasher(run, data, out, str(tmp_path / "page.html"))
        assert steps.gate_hasher(out, data, "sets", generations).passed
        generation = steps.export_hasher(out, data, generations, "train")
    assert steps.index_codes(generation, data, "sets", generations) == sets.count("train")
    steps.publish_generation(generation, "sets")
    with CodeStore.connect(redis_url) as store:
        for row, own in enumerate(sets.label_sets("train")[:20]):
            item = store.item("sets", f"train/{row:04d}")
            assert item is not None
            assert item.labels == tuple(own.tolist())
        engine = engine_of(store, Path(generations) / generation, "sets")
    dark = sum(any(own < 3) for own in sets.label_sets("train"))
    nodes = {tuple(node["path"]): node["items"] for node in engine.describe_taxonomy()["nodes"]}
    assert nodes[("dark",)] == dark
    pixels = read_pixels(next(sets.images("test", [2])), engine.generation.preprocessing)
    found = engine.search(pixels, 1000, "dark")["results"]
    assert len(found) == dark
    assert all(any(path[0] == "dark" for path in result["label_paths"]) for result in found)
