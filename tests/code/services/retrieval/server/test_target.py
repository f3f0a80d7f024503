"""What `taxohash serve TARGET` means, and where a built Bento lies."""

from pathlib import Path

import pytest

from services.retrieval.server.bentos import home
from services.retrieval.server.target import Target, target_of
from taxohash.errors import TaxohashError
from taxohash.runtime.sources import ROOT


@pytest.fixture
def bentos(tmp_path: Path) -> Path:
    """A home of BentoML with a Bento `shop:1`, and its model `hasher:a1`."""
    bento, model = tmp_path / "bentos" / "shop" / "1", tmp_path / "models" / "hasher" / "a1"
    (bento / "src" / "services" / "retrieval" / "server").mkdir(parents=True)
    (bento / "bento.yaml").write_text("models:\n- tag: hasher:a1\n  module: ''\n")
    (bento.parent / "latest").write_text("1\n")
    model.mkdir(parents=True)
    return tmp_path


def refusal(text: str | None, bentos: Path, **environment: str) -> str:
    with pytest.raises(TaxohashError) as error:
        target_of(text, environment, bentos)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("tag", ["shop:1", "shop:latest"])
def test_a_bento_runs_its_own_sources_with_its_own_generation(bentos: Path, tag: str) -> None:
    folder = bentos / "bentos" / "shop" / "1"
    target = Target(folder / "src", {"TAXOHASH_GENERATION": str(bentos / "models" / "hasher" / "a1")})
    assert target_of(tag, {}, bentos) == target
    assert target_of(str(folder), {}, bentos) == target
    assert target_of(None, {"BENTO_PATH": str(folder)}, bentos) == target


def test_another_generation_may_be_named(bentos: Path) -> None:
    assert target_of("shop:1", {"TAXOHASH_GENERATION": "/elsewhere"}, bentos).variables == {}


def test_a_model_in_the_bento_is_taken_first(bentos: Path) -> None:
    """As in an image."""
    folder = bentos / "bentos" / "shop" / "1"
    (folder / "models" / "hasher" / "a1").mkdir(parents=True)
    assert target_of(str(folder), {}, bentos).variables == {
        "TAXOHASH_GENERATION": str(folder / "models" / "hasher" / "a1")
    }


def test_a_generation_runs_the_sources_at_hand_and_others_lie_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "a1"
    folder.mkdir()
    (folder / "generation.json").touch()
    at_hand = {"TAXOHASH_GENERATION": str(folder)}
    store, named = {"TAXOHASH_REDIS_URL": "redis://here"}, {"TAXOHASH_GENERATIONS": "s3://bucket"}
    beside = {"TAXOHASH_GENERATIONS": str(tmp_path)}
    assert target_of(str(folder), store, tmp_path) == Target(ROOT, at_hand | beside)
    assert target_of(str(folder), store | named, tmp_path) == Target(ROOT, at_hand)
    assert target_of(str(folder), {}, tmp_path) == Target(
        ROOT, at_hand
    )  # the user's own has a place for them


def test_a_name_is_a_collection_and_nothing_the_usual_one(tmp_path: Path) -> None:
    assert target_of("shop", {}, tmp_path) == Target(ROOT, {"TAXOHASH_COLLECTION": "shop"})
    assert target_of(None, {}, tmp_path) == Target(ROOT)
    assert target_of(None, {"BENTO_PATH": "/nowhere"}, tmp_path) == Target(ROOT)


@pytest.mark.parametrize(
    "text", ["", "no/where", "./nowhere", "a:b:c", "Shop:1", "shop:", "shop:../1", "\\x"]
)
def test_what_is_nothing_is_told(bentos: Path, text: str) -> None:
    assert "give the folder" in refusal(text, bentos)


def test_files_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "give the folder" in refusal(str(tmp_path / "file"), tmp_path)


def test_folders_of_something_else_are_nothing(tmp_path: Path) -> None:
    assert "neither generation.json nor bento.yaml" in refusal(str(tmp_path), tmp_path)


@pytest.mark.parametrize("tag", ["shop:2", "other:latest", "other:1"])
def test_a_bento_that_is_not_there_is_told(bentos: Path, tag: str) -> None:
    assert f"Bento {tag!r} is not in" in refusal(tag, bentos)


@pytest.mark.parametrize("text", [b"../../secret", b"\xff", b""])
def test_a_damaged_latest_is_told(bentos: Path, text: bytes) -> None:
    (bentos / "bentos" / "shop" / "latest").write_bytes(text)
    assert "is not in" in refusal("shop:latest", bentos)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\xff\xfe", b"models", b"models: 1", b"models: []", b"models: [a:1, b:1]", b"models:\n- tag: 1", b"- a", b"{", b"models: [{}]",
        b"models:\n- tag: ../../etc:passwd", b"models: [hasher]", b"[" * 1500, b"models: !!python/object:os.system x", b"models: [null]",
    ],
)  # fmt: skip
def test_a_damaged_bento_is_told(bentos: Path, text: bytes) -> None:
    (bentos / "bentos" / "shop" / "1" / "bento.yaml").write_bytes(text)
    assert "build it anew" in refusal("shop:1", bentos)


def test_a_bento_without_its_file_model_or_sources_is_told(bentos: Path) -> None:
    folder = bentos / "bentos" / "shop" / "1"
    (bentos / "models" / "hasher" / "a1").rmdir()
    assert "model 'hasher:a1'" in refusal("shop:1", bentos)
    (folder / "bento.yaml").unlink()
    assert "damaged" in refusal("shop:1", bentos)
    (folder / "src" / "services" / "retrieval" / "server").rmdir()
    assert "no sources that can be served" in refusal("shop:1", bentos)


def test_the_home_is_bentomls() -> None:
    assert home({"BENTOML_HOME": "/b"}) == Path("/b")
    assert home({}) == Path.home() / "bentoml"
