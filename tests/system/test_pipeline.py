"""The retraining pipeline with kfp.local, on a miniature set, against a real code store."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.retrain import steps
from pipelines.retrain.steps import run_folder
from services.codestore import CodeStore
from services.retrieval.engine import Engine
from services.retrieval.settings import Settings
from services.retrieval.uploads import Search
from taxohash.datasets import Dataset
from taxohash.generation.manifest import Generation
from tests.support.miniature import make_dataset
from tests.support.toy_objectives import registered

pytestmark = pytest.mark.system
COLLECTION = "pipeline-test"
BITS, EPOCHS, IMAGES = 16, 4, 1800


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("set") / "data", train=IMAGES)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def retrain(redis_url: str, data: Path, home: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pipelines.runners.local", "--data", str(data), "--home", str(home)]
    return subprocess.run(
        [*command, "--collection", COLLECTION, "--bits", str(BITS), "--epochs", str(EPOCHS), *options],
        env={
            **os.environ,
            "TAXOHASH_REDIS_URL": redis_url,
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )


def published(redis_url: str) -> str | None:
    with CodeStore.connect(redis_url) as store:
        found = store.published(COLLECTION)
        return found.id if found else None


def test_publish_repeat_and_refuse(redis_url: str, data: Dataset, home: Path) -> None:
    first = retrain(redis_url, data.folder, home)
    assert first.returncode == 0, first.stdout[-3000:]
    champion = published(redis_url)
    assert champion is not None
    assert Generation.load(home / "generations" / champion).dataset_md5 == data.md5()
    with CodeStore.connect(redis_url) as store:
        assert store.count(COLLECTION, champion) == IMAGES
        snapshot = store.snapshot(COLLECTION, champion)
        assert sorted(snapshot.ids) == [f"train/{row:04d}" for row in range(IMAGES)]
        assert store.thumbnail(COLLECTION, "train/0007") == next(data.images("train", [7]))

    again = retrain(redis_url, data.folder, home)
    assert again.returncode == 0, again.stdout[-3000:]
    assert again.stdout.count("cache hit") == 3  # check, train and evaluate
    assert published(redis_url) == champion

    plant_worse(data, home, seed=3)
    worse = retrain(redis_url, data.folder, home, "--seed", "3")
    assert worse.returncode == 0, worse.stdout[-3000:]
    assert "refused: challenger is below the champion" in worse.stdout
    assert "not published: challenger is below the champion" in worse.stdout
    assert published(redis_url) == champion


def plant_worse(data: Dataset, home: Path, seed: int) -> None:
    """Leave a finished training whose network gives every image one code.

    Not random weights: a random projection of learned features can rank better than the champion.
    """
    source, target = (run_folder(str(home), data.md5(), "shpdh", BITS, EPOCHS, s) for s in (0, seed))
    shutil.copytree(source, target)
    config = json.loads((target / "config.json").read_text())
    config["config"]["training"]["seed"] = seed
    (target / "config.json").write_text(json.dumps(config))
    weights = load_file(target / "weights.safetensors")
    weights["network.hash.weight"] = torch.zeros_like(weights["network.hash.weight"])
    save_file(weights, target / "weights.safetensors")


def test_a_hasher_that_learned_nothing_meets_the_floors(redis_url: str, tmp_path: Path) -> None:
    shuffled = make_dataset(tmp_path / "data", train=IMAGES, shuffled=True)
    done = retrain(redis_url, shuffled.folder, tmp_path / "home", "--collection", "untaught")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "not published: challenger is below the floor" in done.stdout
    with CodeStore.connect(redis_url) as store:
        assert not (tmp_path / "home" / "generations").exists()
        store.ping()


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
    monkeypatch.setenv("TAXOHASH_REDIS_URL", redis_url)
    sets = make_dataset(tmp_path / "data", known="labels", asked="labels")
    data, run, out = str(sets.folder), str(tmp_path / "run"), str(tmp_path / "evaluated")
    generations = str(tmp_path / "generations")
    steps.check_data(data, sets.md5())
    with registered():
        steps.train_hasher(data, str(tmp_path / "work"), "toy-sets", BITS, EPOCHS, 0, run)
        steps.evaluate_hasher(run, data, out, str(tmp_path / "page.html"))
        assert steps.gate_hasher(out, data, "sets", generations).passed
        generation = steps.export_hasher(out, data, generations)
    assert steps.index_codes(generation, data, "sets", generations) == sets.count("train")
    steps.publish_generation(generation, "sets")
    with CodeStore.connect(redis_url) as store:
        for row, own in enumerate(sets.label_sets("train")[:20]):
            item = store.item("sets", f"train/{row:04d}")
            assert item is not None
            assert item.labels == tuple(own.tolist())
        engine = Engine.open(Path(generations) / generation, store, Settings(None, redis_url, "sets"))
    dark = sum(any(own < 3) for own in sets.label_sets("train"))
    nodes = {tuple(node["path"]): node["items"] for node in engine.describe_taxonomy()["nodes"]}
    assert nodes[("dark",)] == dark
    found = engine.search(Search(next(sets.images("test", [2])), 1000, "dark"))["results"]
    assert len(found) == dark
    assert all(any(path[0] == "dark" for path in result["label_paths"]) for result in found)
