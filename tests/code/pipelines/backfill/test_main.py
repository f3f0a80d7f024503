"""The backfill as it is run: hashers of live generations, pictures wherever they are."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from pipelines.backfill import encode, main
from services.codestore import CodeStore, GenerationRef, Item, StoreUnavailableError
from services.codestore.pictures import Pictures
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.support.data_versions import data_version
from tests.support.generations import TAXONOMY, make_generation, pictures

PICTURES = pictures(6)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    for module in (encode, main):
        monkeypatch.setattr(module, "announce", found.append)
    return found


@pytest.fixture
def hashers(tmp_path: Path) -> list[Hasher]:
    """Of two generations, in the folder of generations."""
    found = []
    for seed in (0, 1):
        generation = make_generation(tmp_path / "draft", seed=seed)
        folder = tmp_path / "generations" / generation.id
        folder.parent.mkdir(exist_ok=True)
        (tmp_path / "draft").rename(folder)
        found.append(Hasher(folder))
    return found


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hashers: list[Hasher]) -> Iterator[CodeStore]:
    """Items of the API in two live generations: by content, by address, one that is no picture, one without."""
    monkeypatch.setenv("TAXOHASH_PICTURES", str(tmp_path / "pictures"))
    monkeypatch.setenv(
        "TAXOHASH_REDIS_URL", "redis://unused"
    )  # not the user's own, with generations beside it
    monkeypatch.setenv("TAXOHASH_URI_PREFIXES", f"file://{tmp_path}")
    kept = Pictures.open(tmp_path / "pictures").put_many([*PICTURES[:2], b"no picture"])
    (tmp_path / "a.png").write_bytes(PICTURES[2])
    with CodeStore.connect("memory://") as made:
        made.create("default", TAXONOMY, segments=2)
        for hasher in hashers:
            generation = hasher.generation
            made.begin("default", GenerationRef(generation.id, generation.bits, generation.taxonomy_sha256))
        items = [Item(f"kept {i}", picture=digest) for i, digest in enumerate(kept[:2])]
        items += [
            Item("by address", uri=f"file://{tmp_path}/a.png"),
            Item("bad", picture=kept[2]),
            Item("none"),
        ]
        made.upsert("default", items)
        monkeypatch.setattr(main, "code_store", lambda: nullcontext(made))
        yield made


def run(tmp_path: Path, *options: str) -> int:
    return main.main(["--generations", str(tmp_path / "generations"), *options])


def test_each_live_generation_gets_codes_of_its_own_hasher(
    store: CodeStore, hashers: list[Hasher], tmp_path: Path, told: list[str]
) -> None:
    assert run(tmp_path) == 1  # a picture is bad
    for hasher in hashers:
        found = store.snapshot("default", hasher.generation.id)
        wanted = hasher.encode(decode(picture) for picture in PICTURES[:3])
        names = ["kept 0", "kept 1", "by address"]
        rows = [found.ids.tolist().index(name) for name in names]
        assert sorted(found.ids) == sorted(names)
        assert np.array_equal(found.codes[rows], wanted)
    assert sum("item 'bad' is passed over" in line for line in told) == 2
    assert told[-1] == "6 codes put, 0 overtaken by writes, 2 passed over"
    assert run(tmp_path) == 1
    assert told[-1] == "0 codes put, 0 overtaken by writes, 2 passed over"
    store.delete("default", ["bad"])
    assert run(tmp_path) == 0


def test_a_generation_whose_hasher_is_elsewhere_is_told(
    store: CodeStore, hashers: list[Hasher], tmp_path: Path, told: list[str]
) -> None:
    away = hashers[0].generation.id
    (tmp_path / "generations" / away).rename(tmp_path / "away")
    run(tmp_path)
    assert told[0].startswith(f"generation {away} lacks 5 codes and is not in ")
    assert store.count("default", away) == 0
    assert store.count("default", hashers[1].generation.id) == 3


def test_items_of_a_data_set_have_their_pictures_there(
    store: CodeStore, hashers: list[Hasher], tmp_path: Path
) -> None:
    dataset = data_version(tmp_path / "data", TAXONOMY, {"a": 0, "b": 1})
    generation = hashers[0].generation.id
    store.fill("default", generation, [Item("a"), Item("b")])
    run(tmp_path, "--data", str(dataset.folder))
    assert {"a", "b"} <= set(store.snapshot("default", generation).ids)


def test_again_and_again_until_ctrl_c_also_while_the_store_is_away(
    store: CodeStore, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = 0

    def sleep(seconds: float) -> None:
        nonlocal slept
        assert seconds == 5
        slept += 1
        if slept == 1:
            monkeypatch.setattr(store, "generations", away)
        if slept == 2:
            raise KeyboardInterrupt

    def away(_collection: str) -> None:
        raise StoreUnavailableError("the store is away")

    monkeypatch.setattr("time.sleep", sleep)
    assert run(tmp_path, "--every", "5") == 130
    assert "the store is away" in told
    assert told[-1] == "stopped; the same command goes on from here"


def test_what_cannot_be_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--every", "0") == 2
    assert "--every is 0: give 0.1 to 86400 seconds" in capsys.readouterr().err
