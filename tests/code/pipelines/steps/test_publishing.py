"""From a generation to what is served."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.shared.record import Record
from pipelines.steps import publishing
from services.codestore import CodeStore, Item
from services.codestore.generation_files import GenerationFiles
from taxohash.datasets import Dataset
from taxohash.generation.hasher import CODES
from tests.support.data_versions import codes_of, data_version, generation_of
from tests.support.generations import make_generation
from tests.support.miniature import make_dataset
from tests.support.steps import refusal, store_in_memory
from tests.support.tiny import TAXONOMY as TINY


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
        call = (generation.id, str(data.folder), "catalog", str(tmp_path), str(tmp_path), "run")
        assert told in refusal(capsys, lambda call=call: publishing.seal(*call))  # type: ignore[misc]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CodeStore]:
    """The store in memory and the picture store that steps find."""
    with store_in_memory(monkeypatch, tmp_path, publishing) as made:
        yield made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(publishing, "announce", found.append)
    return found


def indexed(dataset: Dataset, home: Path, collection: str = "catalog", run: str = "run") -> str:
    """Index a data set whose generation was made without training; its id."""
    draft = home / "draft"
    make_generation(draft)
    TINY.save(draft / "taxonomy.json")
    np.save(draft / CODES, codes_of(dataset), allow_pickle=False)
    generation = generation_of(dataset).write(draft)
    draft.rename(home / generation.id)
    codes = publishing.seal(generation.id, str(dataset.folder), collection, str(home), str(home), run)
    assert codes == dataset.count("train")
    return generation.id


def publish(generation: str, champion: str, work: Path, run: str = "run-1", wait: float = 0.0) -> bool:
    return publishing.publish(generation, "catalog", champion, str(work), run, "better", wait)


def test_published_with_who_and_why_and_what_is_no_longer_served_is_removed(
    store: CodeStore, tmp_path: Path, told: list[str]
) -> None:
    made: list[str] = []
    for version in range(3):
        labels = {f"item {i}": i % 3 for i in range(version, version + 9)}
        before = made[-1] if made else ""
        made.append(indexed(data_version(tmp_path / f"data {version}", TINY, labels), tmp_path))
        assert publish(made[-1], before, tmp_path, f"run-{version}")
        assert publish(made[-1], before, tmp_path, "again")  # as when it was interrupted before it said so
        publishing.collect("catalog", f"run-{version}")
        assert Record(tmp_path, f"run-{version}").noted("ended") == {
            "verdict": "published",
            "reason": "better",
        }
    assert [state.ref.id for state in store.generations("catalog")] == made[1:]
    assert store.item("catalog", "item 0") is None
    assert told[-1] == "removed 1 generations and 1 items"
    moves = [entry for entry in store.audit("catalog") if entry.operation == "publish"]
    assert [(move.generation, move.who, move.why) for move in reversed(moves)] == [
        (name, f"pipeline run-{version}", "better") for version, name in enumerate(made)
    ]


def test_of_two_runs_at_once_one_publishes_and_the_other_is_told(
    store: CodeStore, tmp_path: Path, told: list[str]
) -> None:
    first, second = (
        indexed(data_version(tmp_path / name, TINY, {f"{name} {i}": i for i in range(3)}), tmp_path)
        for name in ("one", "two")
    )
    assert publish(first, "", tmp_path, "one")
    assert not publish(second, "", tmp_path, "two")
    ended = Record(tmp_path, "two").noted("ended")
    assert ended["verdict"] == "refused"
    assert ended["reason"].startswith(
        f"generation {first} was published meanwhile, and this one was compared with none"
    )
    assert told[-1] == f"not published: {ended['reason']}"
    assert [state.ref.id for state in store.generations("catalog")] == [first]


def test_what_services_cannot_find_is_not_published(
    store: CodeStore,
    tmp_path: Path,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served = tmp_path / "served"
    served.mkdir()
    monkeypatch.setenv("TAXOHASH_GENERATIONS", str(served))
    generation = indexed(data_version(tmp_path / "data", TINY, {"a": 0, "b": 1}), tmp_path)
    assert f"{generation} is not in {served}" in refusal(capsys, lambda: publish(generation, "", tmp_path))
    GenerationFiles.open(served).put(tmp_path / generation)
    codes = (served / generation / CODES).read_bytes()
    (served / generation / CODES).write_bytes(codes[:-1] + b"?")
    assert f"{CODES} is damaged" in refusal(capsys, lambda: publish(generation, "", tmp_path))
    assert store.published("catalog") is None
    GenerationFiles.open(served).put(tmp_path / generation)
    assert publish(generation, "", tmp_path)


def test_a_publish_waits_for_codes_and_tells_what_it_waits_for(
    store: CodeStore, tmp_path: Path, told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    store.create("catalog", TINY)
    store.upsert("catalog", [Item("of the API", (1,), uri="https://here/1")])
    generation = indexed(data_version(tmp_path / "data", TINY, {"a": 0, "b": 1}), tmp_path)
    said = refusal(capsys, lambda: publish(generation, "", tmp_path, wait=0.1))
    assert "lacks the codes of 1 of the 3 items" in said
    assert told == ["1 items have no code yet: waiting for a backfill, 0.1 s at most"]
    assert not Record(tmp_path, "run-1").noted("ended")
    waiting = threading.Timer(
        0.2, lambda: store.put_codes("catalog", generation, ["of the API"], np.zeros((1, 3), np.uint8))
    )
    waiting.start()
    assert publish(generation, "", tmp_path, wait=60)
    waiting.join()


def test_what_awaits_approval_or_is_refused_moves_nothing(
    store: CodeStore, tmp_path: Path, told: list[str]
) -> None:
    generation = indexed(data_version(tmp_path / "data", TINY, {"a": 0}), tmp_path)
    publishing.wait_for_approval(generation, "catalog", str(tmp_path), "asks", "somebody looks first")
    publishing.refuse(str(tmp_path), "worse", "it is worse")
    assert store.published("catalog") is None
    assert Record(tmp_path, "asks").noted("ended")["verdict"] == "awaiting approval"
    assert Record(tmp_path, "worse").noted("ended") == {"verdict": "refused", "reason": "it is worse"}
    publishing.collect("catalog", "worse")
    assert [state.state for state in store.generations("catalog")] == [
        "sealed"
    ]  # it is not removed meanwhile
