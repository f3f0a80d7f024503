"""What the steps do with the one configuration."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.retrain import steps
from services.codestore import CodeStore, Item
from taxohash.datasets import Dataset
from taxohash.generation.hasher import CODES
from taxohash.runtime.configuration import canonical, parse, plain, read
from taxohash.training.config import HasherConfig
from tests.support.configurations import changed_values, nested, untrained
from tests.support.data_versions import codes_of, data_version, generation_of
from tests.support.generations import make_generation
from tests.support.miniature import make_dataset
from tests.support.tiny import TAXONOMY as TINY


def test_equal_configurations_become_one_text() -> None:
    texts = [
        "{}",
        canonical(HasherConfig()),
        '{"training": {"lr": 0.1, "epochs": null}, "objective": {"options": {"flip": null, "coarse": 0.5}}}',
    ]
    (said,) = {steps.check_config(text) for text in texts}
    assert said == canonical(HasherConfig().completed())
    assert steps.check_config(said) == said


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "is not JSON"),
        ('{"training": {"epochs": 2.5}}', "training.epochs = 2.5: give a whole number of at least 1"),
        ('{"objective": {"name": "csq", "options": {"cubic": 1}}}', "objective 'csq': cubic is not known"),
        ('{"network": {"name": "huge"}}', "network 'huge' is not known"),
    ],
)
def test_a_bad_configuration_ends_the_step_with_one_line(
    config: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_dataset(tmp_path / "data", train=6, test=6)
    for step in (
        lambda: steps.check_config(config),
        lambda: steps.train_hasher(str(data.folder), str(tmp_path), config, str(tmp_path / "out")),
    ):
        with pytest.raises(SystemExit) as ended:
            step()
        assert ended.value.code == 2
        (line,) = capsys.readouterr().out.splitlines()
        assert line.startswith("error: ")
        assert said in line
    assert list(tmp_path.iterdir()) == [data.folder]


def test_every_field_reaches_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxohash.training.fit.fit", untrained)
    data, wanted = make_dataset(tmp_path / "data", train=12, test=6), nested(changed_values())
    config = steps.check_config(json.dumps(wanted))
    steps.train_hasher(str(data.folder), str(tmp_path / "work"), config, str(tmp_path / "out"))
    recorded = json.loads((tmp_path / "out" / "config.json").read_text())["config"]
    assert wanted.items() <= recorded.items()
    folder = steps.run_folder(str(tmp_path / "work"), data.md5(), parse(HasherConfig, config))
    assert (folder / "weights.safetensors").is_file()
    assert folder.name.startswith("csq-16-")


def test_every_field_and_the_data_name_the_folder() -> None:
    standard, changed = plain(HasherConfig()), nested(changed_values())
    configs = [HasherConfig()]
    configs += [
        read(HasherConfig, standard | nested({path: value}))
        for path, value in changed_values().items()
        if "." not in path
    ]
    configs += [
        read(HasherConfig, standard | {part: standard[part] | {name: value}})
        for part, values in changed.items()
        if isinstance(values, dict)
        for name, value in values.items()
    ]
    folders = {steps.run_folder("work", "md5", config) for config in configs}
    assert len(folders) == len(configs) == 1 + len(changed_values())
    assert steps.run_folder("work", "other", HasherConfig()) not in folders


def refusal(capsys: pytest.CaptureFixture[str], call: Callable[[], object]) -> str:
    """The one line with which a step ends."""
    with pytest.raises(SystemExit) as ended:
        call()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().out.splitlines()
    return line


def test_splits_that_cannot_be_indexed_are_refused_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_dataset(tmp_path / "data", train=6, test=6)
    shutil.copy(data.folder / "test.parquet", data.folder / "canary.parquet")
    folder, md5 = str(data.folder), Dataset.open(data.folder).md5()
    steps.check_data(folder, md5)
    steps.check_data(folder, md5, "train")
    for splits, said in [("canary", "'canary' is never indexed"), ("train,val", "no split 'val'")]:
        assert said in refusal(capsys, lambda splits=splits: steps.check_data(folder, md5, splits))  # type: ignore[misc]


def test_the_gate_never_asks_with_the_canary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = {"headline": {}, "metrics": {}, "counts": {}, "protocol": "hierarchical", "ties": "expected"}
    (tmp_path / "report.json").write_text(json.dumps(report | {"provenance": {"queries": "canary"}}))
    said = refusal(capsys, lambda: steps.gate_hasher(str(tmp_path), "data", "catalog", "generations"))
    assert "split 'canary' is never asked by the gate" in said


def test_codes_of_other_images_are_not_indexed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = make_dataset(tmp_path / "data", train=6, test=6)
    other = make_dataset(tmp_path / "other", train=6, test=6, shuffled=True)  # as many rows in each split
    parts = [{"split": "train", "rows": 6}, {"split": "test", "rows": 6}]
    for database, md5, told in [
        ([], data.md5(), "does not say whose codes it holds"),
        (parts, other.md5(), f"holds codes of the data {other.md5()}, not of {data.md5()}"),
    ]:
        made = replace(make_generation(tmp_path / "made"), database=database, dataset_md5=md5)
        generation = made.write(tmp_path / "made")
        (tmp_path / "made").rename(tmp_path / generation.id)
        call = (generation.id, str(data.folder), "catalog", str(tmp_path))
        assert told in refusal(capsys, lambda call=call: steps.index_codes(*call))  # type: ignore[misc]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CodeStore]:
    """The store in memory and the picture store that steps find."""
    monkeypatch.setenv("TAXOHASH_PICTURES", str(tmp_path / "pictures"))
    monkeypatch.setenv(
        "TAXOHASH_REDIS_URL", "redis://unused"
    )  # not the user's own, with generations beside it
    with CodeStore.connect("memory://") as made:
        monkeypatch.setattr(steps, "code_store", lambda: nullcontext(made))
        yield made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(steps, "announce", found.append)
    return found


def indexed(dataset: Dataset, home: Path, collection: str = "catalog") -> str:
    """Index a data set whose generation was made without training; its id."""
    draft = home / "draft"
    make_generation(draft)
    TINY.save(draft / "taxonomy.json")
    np.save(draft / CODES, codes_of(dataset), allow_pickle=False)
    generation = generation_of(dataset).write(draft)
    draft.rename(home / generation.id)
    codes = steps.index_codes(generation.id, str(dataset.folder), collection, str(home))
    assert codes == dataset.count("train")
    return generation.id


def test_published_with_who_and_why_and_what_is_no_longer_served_is_removed(
    store: CodeStore, tmp_path: Path, told: list[str]
) -> None:
    made: list[str] = []
    for version in range(3):
        labels = {f"item {i}": i % 3 for i in range(version, version + 9)}
        made.append(indexed(data_version(tmp_path / f"data {version}", TINY, labels), tmp_path))
        before = made[-2] if version else ""
        assert steps.publish_generation(made[-1], "catalog", f"run-{version}", "better") == before
        assert steps.publish_generation(made[-1], "catalog", "again", "again") == made[-1]
        steps.collect_garbage("catalog", f"run-{version}")
    assert [state.ref.id for state in store.generations("catalog")] == made[1:]
    assert store.item("catalog", "item 0") is None
    assert told[-1] == "removed 1 generations and 1 items"
    moves = [entry for entry in store.audit("catalog") if entry.operation == "publish"]
    assert [(move.generation, move.who, move.why) for move in reversed(moves)] == [
        (name, f"pipeline run-{version}", "better") for version, name in enumerate(made)
    ]


def test_what_services_cannot_find_is_not_published(
    store: CodeStore,
    tmp_path: Path,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served = tmp_path / "served"
    monkeypatch.setenv("TAXOHASH_GENERATIONS", str(served))
    generation = indexed(data_version(tmp_path / "data", TINY, {"a": 0, "b": 1}), tmp_path)
    monkeypatch.setattr("taxohash.release.export.export", lambda *_: tmp_path / generation)

    def publish() -> str:
        return steps.publish_generation(generation, "catalog")

    assert f"{generation} is not in {served}" in refusal(capsys, publish)
    assert steps.export_hasher("run", "data", str(tmp_path)) == generation
    assert told[-1] == f"generation {generation} is in {served}"
    codes = (served / generation / CODES).read_bytes()
    (served / generation / CODES).write_bytes(codes[:-1] + b"?")
    assert f"{CODES} is damaged" in refusal(capsys, publish)
    assert store.published("catalog") is None
    assert steps.export_hasher("run", "data", str(tmp_path)) == generation
    assert publish() == ""
    assert (served / generation / CODES).read_bytes() == codes


def test_a_publish_waits_for_codes_and_tells_what_it_waits_for(
    store: CodeStore, tmp_path: Path, told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    store.create("catalog", TINY)
    store.upsert("catalog", [Item("of the API", (1,), uri="https://here/1")])
    generation = indexed(data_version(tmp_path / "data", TINY, {"a": 0, "b": 1}), tmp_path)
    said = refusal(capsys, lambda: steps.publish_generation(generation, "catalog", wait=0.1))
    assert "lacks the codes of 1 of the 3 items" in said
    assert told == ["1 items have no code yet: waiting for a backfill, 0.1 s at most"]
    waiting = threading.Timer(
        0.2, lambda: store.put_codes("catalog", generation, ["of the API"], np.zeros((1, 3), np.uint8))
    )
    waiting.start()
    assert steps.publish_generation(generation, "catalog", wait=60) == ""
    waiting.join()
