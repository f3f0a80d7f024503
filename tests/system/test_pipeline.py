"""The retraining pipeline with kfp.local, on a miniature set, against a real code store."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.retention.plan import Kind
from pipelines.retention.prune import Pruning
from pipelines.retrain import steps
from pipelines.retrain.steps import run_folder
from pipelines.steps import publishing, versions
from pipelines.steps.codes import build, encode
from pipelines.steps.judgement import decide
from services.codestore import CodeStore
from services.codestore.pictures import Pictures
from services.codestore.sampled import Facts, SampledQueries, SampledQuery
from services.lineage import lineage
from services.retrieval.schemas.search import Wishes
from services.runs import EXIT_CODES, Outcome, Verdict
from taxohash.datasets import Dataset
from taxohash.generation.hasher import CODES
from taxohash.generation.manifest import Generation
from taxohash.images import read_pixels
from taxohash.release.gate import Policy
from taxohash.runtime.atomic import read_json
from taxohash.runtime.configuration import canonical, replaced
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
        "TMPDIR": str(scratch(home)),
    }
    return os.environ | own


def scratch(home: Path) -> Path:
    """Where its processes put what they need for a while: nothing of it stays."""
    folder = home.with_name(f"{home.name}-scratch")
    folder.mkdir(exist_ok=True)
    return folder


def pipeline(redis_url: str, data: Path, home: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pipelines.cli.main", "run", "--data", str(data), "--home", str(home)]
    return subprocess.run(
        [*command, "--collection", COLLECTION, "--json", *options],
        env=environment(redis_url, home) | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def retrain(redis_url: str, data: Path, home: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return pipeline(redis_url, data, home, "--bits", str(BITS), "--epochs", str(EPOCHS), *options)


def came_of(done: "subprocess.CompletedProcess[str]") -> Outcome:
    """What a run says of itself, which its exit code and its eleven lines say too."""
    assert "Traceback" not in done.stdout + done.stderr
    found = Outcome.of_json(done.stdout)
    assert done.returncode == EXIT_CODES[found.verdict], done.stderr[-3000:]
    assert f"verdict     {found.verdict.upper()}" in done.stderr.splitlines()
    return found


def published(redis_url: str) -> str | None:
    with CodeStore.connect(redis_url) as store:
        found = store.published(COLLECTION)
        return found.id if found else None


@pytest.fixture(scope="module")
def first(redis_url: str, data: Dataset, home: Path) -> Outcome:
    """What came of the first run."""
    return came_of(retrain(redis_url, data.folder, home, "--shards", "2", "--run", "first"))


@pytest.fixture
def champion(redis_url: str, first: Outcome) -> str:
    """What is published."""
    found = published(redis_url)
    assert found is not None
    return found


def test_the_first_run_publishes(
    redis_url: str, data: Dataset, home: Path, first: Outcome, champion: str
) -> None:
    assert (first.verdict, first.run, first.generation) == (Verdict.PUBLISHED, "first", champion)
    assert (first.data_md5, first.champion, first.against) == (data.md5(), "", "floor")
    assert {part.metric for part in first.compared} == {"mAP", "mAHP", "nDCG", "mAP/shape", "mAP/shade"}
    assert Path(first.report).is_file()
    assert (first.comparison, first.would_change) == ("", "")  # there is nothing to compare with
    assert {"train", "encode", "publish"} <= {*first.seconds}
    assert not [*scratch(home).iterdir()]
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
        assert (publish.who, publish.why) == ("pipeline first", first.reason)
        origin = lineage(store, COLLECTION, champion, lambda generation: None).origin
    assert origin is not None
    assert (origin.run, origin.pipeline, origin.report, origin.place) == (
        "first",
        "retrain",
        first.report,
        first.place,
    )
    assert origin.image.startswith("local/python:")
    assert (origin.made.data_md5, origin.champion, origin.cost) == (data.md5(), "", None)
    asked = replaced(HasherConfig(), {"bits": BITS, "training.epochs": EPOCHS}).completed()
    assert origin.configuration == canonical(asked)
    assert sum(origin.files.values()) > sum(file.stat().st_size for file in data.folder.iterdir())


def test_what_is_worse_is_refused(redis_url: str, data: Dataset, home: Path, champion: str) -> None:
    plant_worse(data, home, seed=3)
    worse = came_of(retrain(redis_url, data.folder, home, "--seed", "3"))
    assert (worse.verdict, worse.generation) == (Verdict.REFUSED, "")
    assert worse.reason.startswith("challenger is worse than the champion")
    assert Path(worse.report).is_file()
    assert published(redis_url) == champion


def test_who_clears_knows_all_that_runs_leave(redis_url: str, home: Path, champion: str) -> None:
    pruning = Pruning(home, keep=1, store=lambda: CodeStore.connect(redis_url))
    decided = pruning.planned().plan
    for kind, folder in (
        (Kind.TRAINING, "runs"),
        (Kind.OUTPUT, "pipeline"),
        (Kind.CACHE, "cache"),
        (Kind.GENERATION, "generations"),
    ):
        known = {own.thing.name: own for own in decided if own.thing.kind is kind}
        assert {*known} == {path.name for path in (home / folder).iterdir() if path.name[0] != "."} != set()
        if kind in (Kind.TRAINING, Kind.OUTPUT):
            assert all(own.thing.of for own in known.values())
    kept = {(own.thing.kind, own.thing.name): own.reasons for own in decided if own.kept}
    assert kept[Kind.GENERATION, champion][0] == f"published in {COLLECTION!r}"
    assert (Kind.LOG, "first") in kept


@pytest.mark.slow
def test_a_run_that_is_repeated_trains_nothing(
    redis_url: str, data: Dataset, home: Path, champion: str
) -> None:
    # A default that is written out is checked, and then is the same configuration.
    again = came_of(retrain(redis_url, data.folder, home, "--option", "coarse=0.5", "--lr", "1e-1"))
    assert not {"check-data", "train", "evaluate", "export"} & {*again.seconds}
    assert again.verdict is Verdict.PUBLISHED
    assert (again.champion, again.against) == (champion, "champion")
    assert again.would_change == "This is the same generation: nothing would change."
    assert Path(again.comparison).is_file()
    assert published(redis_url) == again.generation


@pytest.mark.slow
def test_more_items_await_an_approval(redis_url: str, home: Path, champion: str, tmp_path: Path) -> None:
    grown = make_dataset(tmp_path / "grown", train=IMAGES + 60)
    awaiting = came_of(pipeline(redis_url, grown.folder, home, "reindex", "--policy", "approve=always"))
    assert awaiting.verdict is Verdict.AWAITING
    assert awaiting.changes == {"added": 60, "removed": 0, "relabelled": 0}
    assert "he first 10 answers to a query of test" in awaiting.would_change
    compared = read_json(Path(awaiting.comparison).with_suffix(".json"), "")
    assert (compared["before"]["id"], compared["after"]["id"]) == (champion, awaiting.generation)
    assert compared["after"]["alone"] == 60
    assert published(redis_url) == champion
    command = [sys.executable, "-m", "pipelines.cli.main", "approve", awaiting.generation]
    command += ["--collection", COLLECTION, "--who", "Ada", "--why", "looked at it"]
    approved = subprocess.run(
        command, env=environment(redis_url, home), capture_output=True, text=True, check=True
    )
    assert approved.stdout == f"{awaiting.generation} is published, instead of {champion}\n"
    assert published(redis_url) == awaiting.generation
    with CodeStore.connect(redis_url) as store:
        assert store.item(COLLECTION, f"train/{IMAGES + 59:04d}", awaiting.generation)
        entry = store.audit(COLLECTION)[0]
        assert (entry.operation, entry.who, entry.why) == ("publish", "Ada", "looked at it")


@pytest.mark.slow
def test_drift_is_told_by_its_exit_code_and_its_report(
    redis_url: str, home: Path, champion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checked(*words: str) -> Outcome:
        command = [sys.executable, "-m", "pipelines.cli.main", "run", "drift", "--home", str(home), *words]
        done = subprocess.run(
            [*command, "--collection", COLLECTION, "--json"],
            env=environment(redis_url, home) | {"PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        return came_of(done)

    nothing = checked("--run", "quiet")
    assert (nothing.verdict, nothing.pipeline, nothing.champion) == (Verdict.TOO_FEW, "drift", champion)
    monkeypatch.setenv("TAXOHASH_PICTURES", environment(redis_url, home)["TAXOHASH_PICTURES"])
    queries, random = SampledQueries.from_environment(COLLECTION), np.random.default_rng(0)
    for number in range(120):
        facts = Facts(
            when=int(time.time()) - 5, share=1.0, generation=champion, bits=BITS, code=random.bytes(BITS // 8).hex(),
            pixels=f"{number:016x}", nearest=9, predicted=(), unlike=True,
        )  # fmt: skip
        queries.keep(SampledQuery(b"noise", facts))
    noise = checked("--run", "noise")
    assert (noise.verdict, noise.against) == (Verdict.DRIFTED, "reference")
    assert "queries: farther from every item" in noise.reason
    assert set(noise.seconds) == {"begin", "served", "check"}
    page = Path(noise.report).read_text()
    assert "Drifted" in page
    assert "data:image/png;base64," in page


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


@pytest.mark.slow
def test_a_bad_option_is_refused_before_anything_is_trained(data: Dataset, tmp_path: Path) -> None:
    done = came_of(retrain("redis://127.0.0.1:1", data.folder, tmp_path / "home", "--option", "magic=1"))
    assert done.verdict is Verdict.FAILED
    assert done.reason.startswith(
        "step check-config: objective 'treecode': magic is not known: use one of flip, "
    )
    assert not (tmp_path / "home" / "runs").exists()


@pytest.fixture(scope="module")
def untaught(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """What came of a pipeline, and its home, whose labels are shuffled and whose every part of the configuration is chosen."""
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
    return came_of(done), folder / "home"


@pytest.mark.slow
def test_any_field_is_chosen_by_the_one_parameter(untaught: tuple[Outcome, Path]) -> None:
    (folder,) = (untaught[1] / "runs").glob("[!.]*")
    config = Run.open(folder).config
    assert (config.objective.name, config.objective.options) == ("csq", {"quantisation": 0.5, "seed": 0})
    assert (config.bits, config.network.size) == (BITS, 24)
    assert config.training == TrainingConfig(epochs=EPOCHS, batch=64, augment="crop", clip=2.0)


@pytest.mark.slow
def test_a_hasher_that_learned_nothing_meets_the_floors(untaught: tuple[Outcome, Path]) -> None:
    found, home = untaught
    assert (found.verdict, found.against) == (Verdict.REFUSED, "floor")
    assert not (home / "generations").exists()


def test_what_the_store_would_refuse_is_refused_before_anything_is_trained(
    redis_url: str, data: Dataset, tmp_path: Path
) -> None:
    other = Taxonomy("other", (("a",), ("b",)))
    with CodeStore.connect(redis_url) as store:
        store.create("other-tree", other)
    done = came_of(retrain(redis_url, data.folder, tmp_path / "home", "--collection", "other-tree"))
    assert done.verdict is Verdict.FAILED
    assert done.reason.startswith("step check-ahead: ")
    assert "keeps its levels" in done.reason
    assert not (tmp_path / "home" / "runs").exists()


@pytest.mark.slow
def test_of_two_runs_at_once_one_publishes_and_the_other_is_told(
    redis_url: str, data: Dataset, tmp_path: Path
) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    with ThreadPoolExecutor() as pool:
        begun = [
            pool.submit(retrain, redis_url, data.folder, home, "--collection", "twice", "--seed", str(seed))
            for seed, home in enumerate(homes)
        ]
    won, lost = sorted(
        (came_of(run.result()) for run in begun), key=lambda found: found.verdict is not Verdict.PUBLISHED
    )
    assert (won.verdict, lost.verdict) == (Verdict.PUBLISHED, Verdict.REFUSED)
    assert lost.reason.startswith(
        f"generation {won.generation} was published meanwhile, and this one was compared with none"
    )
    with CodeStore.connect(redis_url) as store:
        served = store.published("twice")
    assert served is not None
    assert served.id == won.generation


@pytest.mark.parametrize(
    "whole_group",
    [
        pytest.param(True, id="Ctrl-C in a terminal"),
        pytest.param(False, id="kill -INT", marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_says_in_one_line_that_repeating_goes_on(
    redis_url: str, data: Dataset, tmp_path: Path, whole_group: bool
) -> None:
    command = [sys.executable, "-m", "pipelines.cli.main", "run", "--data", str(data.folder)]
    command += ["--home", str(tmp_path), "--collection", "interrupted", "--bits", "16", "--epochs", "200"]
    process = subprocess.Popen(
        command,
        env=environment(redis_url, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch 2/" in line:
            break
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1].endswith("was interrupted: the same command goes on from here")
    assert out == ""
    assert "Traceback" not in err
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nothing is left of it
    assert not [*scratch(tmp_path).iterdir()]
    (folder,) = (tmp_path / "runs").glob("[!.]*")
    assert (folder / CHECKPOINT).is_file()


@pytest.mark.slow  # as above, for another reason
def test_a_failing_step_says_why_in_one_line(data: Dataset, home: Path) -> None:
    done = came_of(retrain("redis://127.0.0.1:1", data.folder, home))
    assert done.verdict is Verdict.FAILED
    assert "127.0.0.1:1" in done.reason


def test_images_with_sets_of_labels_are_published_and_found_by_any_of_them(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(redis_url, tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    sets = make_dataset(tmp_path / "data", known="labels", asked="labels")
    data, run, out = str(sets.folder), str(tmp_path / "run"), str(tmp_path / "evaluated")
    generations = str(tmp_path / "generations")
    config = json.dumps({"objective": {"name": "toy-sets"}, "bits": BITS, "training": {"epochs": EPOCHS}})
    judgement, draft, codes, work = (str(tmp_path / name) for name in ("judgement", "draft", "codes", "work"))
    versions.check(data)
    with registered():
        steps.train_hasher(data, work, steps.check_config(config, canonical(Policy())), run)
        steps.evaluate_hasher(run, data, out, str(tmp_path / "page.html"))
        steps.export_hasher(out, data, draft)
        judged = str(tmp_path / "judged")
        steps.gate_hasher(
            out, draft, "", "", data, sets.md5(), generations, canonical(Policy()), judgement, judged
        )
        assert decide(judgement, "report", work, "sets").verdict == "passes"
    encode(draft, data, "train", "1/1", codes)
    generation = build(draft, [codes], data, "train", generations, work, "sets")
    assert publishing.seal(generation, data, "sets", generations, generations, "run") == sets.count("train")
    assert publishing.publish(generation, "sets", "", work, "sets")
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
    found = engine.search(engine.of_picture(pixels), Wishes(k=1000, within="dark"))["results"]
    assert len(found) == dark
    assert all(any(path[0] == "dark" for path in result["label_paths"]) for result in found)
