"""A generation's own codes become what an empty collection serves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.codestore import CodeStore
from services.codestore.generation_files import GenerationFiles
from services.retrieval import first_generation
from services.retrieval.first_generation import publish_first
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.taxonomy import Taxonomy
from tests.support.generations import make_generation
from tests.support.interrupted import Interrupted
from tests.support.own_generation import with_codes
from tests.support.signing import make_key, signed


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(first_generation, "_BATCH", 4)
    return with_codes(tmp_path / "generation")


@pytest.fixture
def store() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as made:
        yield made


def held(store: CodeStore, collection: str, folder: Path) -> bool:
    """Whether a collection serves the generation of a folder, whole."""
    hasher = Hasher(folder)
    snapshot = store.snapshot(collection, hasher.generation.id)
    numbers = store.labels(collection).numbers(
        store.labels(collection).version_of(hasher.generation.taxonomy_sha256)
    )
    rows = {item: row for row, item in enumerate(snapshot.ids.tolist())}
    return (
        (published := store.published(collection)) is not None
        and published.id == hasher.generation.id
        and rows.keys() == set(hasher.ids)
        and all(
            bytes(snapshot.codes[rows[item]]) == bytes(hasher.codes[own])
            and sorted(snapshot.labels[rows[item]].tolist())
            == sorted(numbers[list(hasher.labels[own])].tolist())
            for own, item in enumerate(hasher.ids)
        )
    )


def test_an_empty_collection_serves_it_whole(store: CodeStore, folder: Path, tmp_path: Path) -> None:
    files = GenerationFiles.open(tmp_path / "served")
    said = publish_first(store, "default", folder, files)
    assert said.endswith("from now on, with its 25 codes")
    assert held(store, "default", folder)
    files.require(Hasher(folder).generation.id)
    before = store.state("default")
    assert "from now on" not in publish_first(store, "default", folder, files)
    assert store.state("default") == before
    moved = store.audit("default")[0]
    assert (moved.operation, moved.who) == ("publish", "taxohash serve")


def test_what_is_not_signed_is_not_published_where_a_key_is_given(
    store: CodeStore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = make_key(tmp_path / "key.pem")
    monkeypatch.setenv("TAXOHASH_VERIFY_KEY", str(public))
    with pytest.raises(TaxohashError, match="is not signed, and keys are given"):
        publish_first(store, "default", folder)
    assert not store.exists("default")
    publish_first(store, "default", signed(folder, private))
    assert store.exists("default")


def test_interrupted_anywhere_it_goes_on(store: CodeStore, folder: Path) -> None:
    for batches in range(9):
        with pytest.raises(KeyboardInterrupt):
            publish_first(Interrupted(store, batches), "default", folder)  # type: ignore[arg-type]
        assert store.published("default") is None
    publish_first(store, "default", folder)
    assert held(store, "default", folder)


def test_what_is_published_stays_and_one_line_tells(store: CodeStore, folder: Path, tmp_path: Path) -> None:
    other = with_codes(tmp_path / "other", seed=7)
    publish_first(store, "default", other)
    before = store.state("default")
    said = publish_first(store, "default", folder)
    assert said.startswith(f"collection default goes on with generation {Hasher(other).generation.id}")
    assert "\n" not in said
    assert store.state("default") == before
    publish_first(store, "another", folder)
    assert held(store, "another", folder)


def test_an_older_generation_without_items_is_one_line_and_leaves_nothing(
    store: CodeStore, tmp_path: Path
) -> None:
    make_generation(tmp_path / "older")
    with pytest.raises(TaxohashError, match="export the generation again"):
        publish_first(store, "default", tmp_path / "older")
    assert not store.exists("default")


def test_a_collection_of_another_tree_is_one_line(store: CodeStore, folder: Path) -> None:
    store.create("default", Taxonomy("other", (("a", "b"), ("c", "d"))))
    with pytest.raises(TaxohashError, match="make another one"):
        publish_first(store, "default", folder)
    assert not store.generations("default")
