"""What is refused before anything is trained. With a real store: tests/system/test_pipeline.py."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.retrain import preflight, steps
from services.codestore import GenerationRef
from taxohash.datasets import Dataset
from taxohash.datasets.writer import Row, write_dataset
from taxohash.errors import TaxohashError
from tests.support.miniature import make_dataset
from tests.support.tiny import TAXONOMY, tiny_rows


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A store that takes everything and has published nothing, unless a test says otherwise."""
    made = SimpleNamespace(create=lambda *_: None, published=lambda _: None)

    @contextmanager
    def connected() -> Iterator[SimpleNamespace]:
        yield made

    monkeypatch.setattr(preflight, "code_store", connected)
    return made


def ahead(dataset: Dataset, generations: Path) -> None:
    preflight.preflight(dataset, "train", "test", ("train", "test"), "catalog", generations)


def test_what_can_be_published_passes_and_leaves_nothing(store: Any, tmp_path: Path) -> None:
    for known in ("label", "labels"):
        dataset = make_dataset(tmp_path / known, 12, 6, known=known, asked=known)
        ahead(dataset, tmp_path / "home" / "generations")
    assert not (tmp_path / "home").exists()


def test_a_split_that_cannot_grade_answers_is_refused(store: Any, tmp_path: Path) -> None:
    unlabelled = make_dataset(tmp_path / "data", 12, 6, known=None)
    with pytest.raises(TaxohashError, match=r"split train of .* has no labels to grade answers by"):
        ahead(unlabelled, tmp_path)
    alone = tmp_path / "alone"
    write_dataset(alone, TAXONOMY, [("train", tiny_rows("train"))])
    with pytest.raises(TaxohashError, match="has no split 'test'"):
        ahead(Dataset.open(alone), tmp_path)


def test_an_item_that_the_store_would_not_take_is_refused(store: Any, tmp_path: Path) -> None:
    rows = [*tiny_rows("train"), Row(tiny_rows("train")[0].image, "x" * 5000, 0)]
    write_dataset(tmp_path / "data", TAXONOMY, [("train", rows), ("test", tiny_rows("test"))])
    with pytest.raises(TaxohashError, match="item id 'xxx"):
        ahead(Dataset.open(tmp_path / "data"), tmp_path)


def test_a_place_that_cannot_be_written_is_refused(store: Any, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", 12, 6)
    (tmp_path / "file").write_text("")
    with pytest.raises(TaxohashError, match=r"file.* cannot be written"):
        ahead(dataset, tmp_path / "file" / "generations")


def test_a_champion_that_is_not_there_is_refused(store: Any, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", 12, 6)
    store.published = lambda _: GenerationRef("0123456789abcdef", 16, dataset.taxonomy.sha256)
    with pytest.raises(TaxohashError, match="0123456789abcdef"):
        ahead(dataset, tmp_path / "generations")


def test_an_address_that_is_not_given_ends_the_step_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TAXOHASH_REDIS_URL", raising=False)
    dataset = make_dataset(tmp_path / "data", 12, 6)
    with pytest.raises(SystemExit) as ended:
        steps.check_ahead(str(dataset.folder), "", "catalog", str(tmp_path / "generations"))
    assert ended.value.code == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("error: TAXOHASH_REDIS_URL is not set")
