"""What is refused before anything is trained. With a real store: tests/system/test_pipeline.py."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.retrain import steps
from pipelines.shared import preflight
from services.codestore import CodeStore, GenerationRef, StoreUnavailableError
from services.codestore.generation_files import GenerationFiles
from services.codestore.pictures import Pictures, digest_of
from taxohash.datasets import Dataset
from taxohash.datasets.writer import Row, write_dataset
from taxohash.errors import TaxohashError
from taxohash.generation.canaries import Canaries
from taxohash.generation.manifest import Generation
from taxohash.taxonomy import Taxonomy
from tests.support.generations import TAXONOMY as SIGNS
from tests.support.generations import make_generation
from tests.support.miniature import TAXONOMY as MINIATURE
from tests.support.miniature import make_dataset
from tests.support.steps import store_in_memory
from tests.support.tiny import TAXONOMY, tiny_rows


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CodeStore]:
    """The store, in memory, and a picture store that the steps find."""
    with store_in_memory(monkeypatch, tmp_path, preflight) as made:
        yield made


def ahead(dataset: Dataset, generations: Path) -> None:
    preflight.preflight(dataset, "train", "test", ("train", "test"), "catalog", generations)


def test_what_can_be_published_passes_and_leaves_nothing(store: CodeStore, tmp_path: Path) -> None:
    for known in ("label", "labels"):
        dataset = make_dataset(tmp_path / known, 12, 6, known=known, asked=known)
        ahead(dataset, tmp_path / "home" / "generations")
    assert not (tmp_path / "home").exists()
    assert store.count("catalog") == 0
    assert not list(Pictures.from_environment().digests())


def test_a_split_that_cannot_grade_answers_is_refused(store: CodeStore, tmp_path: Path) -> None:
    unlabelled = make_dataset(tmp_path / "data", 12, 6, known=None)
    with pytest.raises(TaxohashError, match=r"split train of .* has no labels to grade answers by"):
        ahead(unlabelled, tmp_path)
    alone = tmp_path / "alone"
    write_dataset(alone, TAXONOMY, [("train", tiny_rows("train"))])
    with pytest.raises(TaxohashError, match="has no split 'test'"):
        ahead(Dataset.open(alone), tmp_path)


def test_an_item_that_the_store_would_not_take_is_refused(store: CodeStore, tmp_path: Path) -> None:
    rows = [*tiny_rows("train"), Row(tiny_rows("train")[0].image, "x" * 5000, 0)]
    write_dataset(tmp_path / "data", TAXONOMY, [("train", rows), ("test", tiny_rows("test"))])
    with pytest.raises(TaxohashError, match="item id 'xxx"):
        ahead(Dataset.open(tmp_path / "data"), tmp_path)


def test_a_place_that_cannot_be_written_is_refused(store: CodeStore, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", 12, 6)
    (tmp_path / "file").write_text("")
    with pytest.raises(TaxohashError, match=r"file.* cannot be written"):
        ahead(dataset, tmp_path / "file" / "generations")


def test_a_picture_store_that_cannot_be_written_is_refused(
    store: CodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset(tmp_path / "data", 12, 6)
    (tmp_path / "file").write_text("")
    for address, told in [
        (tmp_path / "file", "is a file"),
        (tmp_path / "no" / "where", "there is no folder"),
    ]:
        monkeypatch.setenv("TAXOHASH_PICTURES", str(address))
        with pytest.raises(TaxohashError, match=told):
            ahead(dataset, tmp_path)
    folder = tmp_path / "pictures"
    folder.mkdir()
    digest = digest_of(b"a picture store that can be written")
    (folder / digest[:2]).write_text("")  # as where no file can be made
    monkeypatch.setenv("TAXOHASH_PICTURES", str(folder))
    with pytest.raises(TaxohashError, match="pictures"):
        ahead(dataset, tmp_path)


def test_a_collection_of_another_tree_is_refused_and_one_that_can_grow_is_left_as_it_is(
    store: CodeStore, tmp_path: Path
) -> None:
    store.create("catalog", Taxonomy("miniature", MINIATURE.paths[:4], MINIATURE.level_names), segments=3)
    ahead(make_dataset(tmp_path / "grown", 12, 6), tmp_path)
    assert store.labels("catalog").version == 1
    other = Taxonomy("other", (("a", "b", "c"), ("d", "e", "f")), MINIATURE.level_names)
    write_dataset(tmp_path / "other", other, [(split, tiny_rows(split)[:2]) for split in ("train", "test")])
    with pytest.raises(TaxohashError, match="seems to be another one"):
        ahead(Dataset.open(tmp_path / "other"), tmp_path)


def test_a_store_that_takes_no_writes_is_refused(
    store: CodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset(tmp_path / "data", 12, 6)
    ahead(dataset, tmp_path)

    def refused(*_arguments: object) -> None:
        raise StoreUnavailableError("connect to the primary, this is a replica")

    monkeypatch.setattr(store, "create", refused)
    with pytest.raises(StoreUnavailableError):
        ahead(dataset, tmp_path)


def test_a_champion_that_is_not_there_is_refused(store: CodeStore, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", 12, 6)
    store.create("catalog", dataset.taxonomy)
    store.begin("catalog", GenerationRef("0123456789abcdef", 16, dataset.taxonomy.sha256))
    store.seal("catalog", "0123456789abcdef")
    store.publish("catalog", "0123456789abcdef")
    with pytest.raises(TaxohashError, match="0123456789abcdef"):
        ahead(dataset, tmp_path / "generations")


def test_a_champion_is_brought_from_where_services_find_it(
    store: CodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset(tmp_path / "data", 12, 6)
    generation = make_generation(tmp_path / "made")
    store.create("catalog", dataset.taxonomy)
    store.begin("catalog", GenerationRef(generation.id, 16, dataset.taxonomy.sha256))
    store.seal("catalog", generation.id)
    store.publish("catalog", generation.id)
    monkeypatch.setenv("TAXOHASH_GENERATIONS", str(tmp_path / "served"))
    with pytest.raises(TaxohashError, match=generation.id):
        ahead(dataset, tmp_path / "generations")
    GenerationFiles.open(tmp_path / "served").put(tmp_path / "made")
    ahead(dataset, tmp_path / "generations")
    assert Generation.load(tmp_path / "generations" / generation.id) == generation


def test_a_place_for_generations_that_cannot_be_written_is_refused(
    store: CodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset(tmp_path / "data", 12, 6)
    (tmp_path / "file").write_text("")
    for address, told in [
        (tmp_path / "file", "is a file"),
        ("s3://nowhere/a?b", "is no address of generations"),
    ]:
        monkeypatch.setenv("TAXOHASH_GENERATIONS", str(address))
        with pytest.raises(TaxohashError, match=told):
            ahead(dataset, tmp_path)


def test_an_address_that_is_not_given_on_a_pod_ends_the_step_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TAXOHASH_REDIS_URL", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")  # elsewhere it would be the user's own
    dataset = make_dataset(tmp_path / "data", 12, 6)
    with pytest.raises(SystemExit) as ended:
        steps.check_ahead(str(dataset.folder), "", "catalog", str(tmp_path / "generations"))
    assert ended.value.code == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("error: TAXOHASH_REDIS_URL is not set")


def test_a_full_disk_is_found_before_anything_is_trained(
    store: CodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(free=preflight.SPARE_BYTES)
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    with pytest.raises(TaxohashError, match="268 MB free, and 268 MB may be needed: free some space"):
        ahead(make_dataset(tmp_path / "data", train=6, test=6), tmp_path / "generations")
    free.free += 10_000_000
    ahead(make_dataset(tmp_path / "more", train=6, test=6), tmp_path / "generations")


def test_a_new_class_without_a_canary_is_refused_where_there_were_canaries(
    store: CodeStore, tmp_path: Path
) -> None:
    published = tmp_path / "generations" / "published"
    made = make_generation(published)
    Canaries((b"a picture",), ((0,),)).save(published)
    sealed = replace(made, files={}).write(published)
    published.rename(published.with_name(sealed.id))
    store.create("catalog", SIGNS)
    store.begin("catalog", GenerationRef(sealed.id, 16, SIGNS.sha256))
    store.seal("catalog", sealed.id)
    store.publish("catalog", sealed.id)
    grown = Taxonomy("signs", (*SIGNS.paths, ("cold", "blue", "teal"), ("cold", "green")), SIGNS.level_names)

    def version(name: str, canaries: list[int]) -> Dataset:
        picture = tiny_rows("train")[0].image
        rows = {"train": [0, 1, 6, 7], "test": [0, 1, 6, 7], "canary": canaries}
        write_dataset(
            tmp_path / name,
            grown,
            [
                (split, [Row(picture, f"{split}/{i}", label) for i, label in enumerate(labels)])
                for split, labels in rows.items()
            ],
        )
        return Dataset.open(tmp_path / name)

    with pytest.raises(
        TaxohashError, match="split canary has no picture of 1 classes that are new, cold/green: move"
    ):
        ahead(version("bare", [0, 6]), tmp_path / "generations")
    ahead(version("watched", [6, 7]), tmp_path / "generations")  # that class 1 had none is no news
    without = version("without", [0])
    (without.folder / "canary.parquet").unlink()
    ahead(Dataset.open(without.folder), tmp_path / "generations")
