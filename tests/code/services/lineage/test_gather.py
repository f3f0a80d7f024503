"""From a generation back to the first, of what store, runs and manifests know."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.codestore import CodeStore, GenerationRef
from services.codestore.generation_files import GenerationFiles
from services.lineage import Made, chain, lineage, note_origin, origin_of
from services.lineage.gather import UnknownGenerationError, manifests_in
from taxohash.errors import TaxohashError
from tests.support.data_versions import data_version, generation_of
from tests.support.generations import make_generation
from tests.support.lineages import origin_of_run
from tests.support.tiny import TAXONOMY

SHOP = "shop"
NAMES = ("g1", "g2", "g3")


def nothing(generation: str) -> Made | None:
    return None


@pytest.fixture
def store() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as made:
        made.create(SHOP, TAXONOMY, segments=1)
        yield made


def sealed(store: CodeStore, name: str) -> None:
    store.begin(SHOP, GenerationRef(name, 8, TAXONOMY.sha256))
    store.seal(SHOP, name)


def published(store: CodeStore, *names: str) -> None:
    for name in names:
        sealed(store, name)
        store.publish(SHOP, name, who=f"who of {name}", why=f"why of {name}")


def test_it_is_followed_to_the_first_though_they_are_removed(store: CodeStore) -> None:
    published(store, *NAMES, "g4", "g5")
    store.gc(SHOP, who="the collector")
    found = chain(store, SHOP, "g5", nothing)
    assert [one.generation for one in found] == ["g5", "g4", "g3", "g2", "g1"]
    assert [one.state for one in found] == ["published", "retired", "removed", "removed", "removed"]
    assert [one.replaced for one in found] == ["g4", "g3", "g2", "g1", ""]
    newest, first = found[0], found[-1]
    assert (newest.replaced_by, newest.removed) == (None, None)
    assert (newest.moves[0].who, newest.moves[0].why) == ("who of g5", "why of g5")
    assert first.replaced_by is not None
    assert (first.replaced_by.generation, first.replaced_by.who) == ("g2", "who of g2")
    assert first.removed is not None
    assert (first.removed.who, first.created) == ("the collector", None)
    assert chain(store, SHOP, "g5", nothing, 2) == found[:2]
    assert lineage(store, SHOP, "g3", nothing) == found[2]


def test_a_roll_back_is_told_and_leads_in_no_circle(store: CodeStore) -> None:
    published(store, "g1", "g2")
    store.rollback(SHOP, who="Bo", why="worse on fish")
    store.publish(SHOP, "g2", who="Ada")
    store.rollback(SHOP, who="Cy")
    now, before = lineage(store, SHOP, "g1", nothing), lineage(store, SHOP, "g2", nothing)
    assert [(move.operation, move.who) for move in now.moves] == [
        ("publish", "who of g1"),
        ("rollback", "Bo"),
        ("rollback", "Cy"),
    ]
    assert (now.replaced, now.replaced_by) == ("", None)
    assert before.replaced_by is not None
    assert (before.replaced, before.replaced_by.who, before.replaced_by.operation) == ("g1", "Cy", "rollback")
    assert [one.generation for one in chain(store, SHOP, "g2", nothing)] == ["g2", "g1"]


def test_what_awaits_an_approval_goes_back_to_what_it_was_compared_with(
    store: CodeStore, tmp_path: Path
) -> None:
    published(store, "g1")
    sealed(store, "g2")
    made = generation_of(data_version(tmp_path, TAXONOMY, {"a": 0}))
    note_origin(store, SHOP, "g2", origin_of_run(made, "g1"))
    awaiting, first = chain(store, SHOP, "g2", nothing)
    assert (awaiting.replaced, awaiting.moves, awaiting.state) == ("", (), "sealed")
    assert first.generation == "g1"


def test_an_origin_says_all_of_its_run(store: CodeStore, tmp_path: Path) -> None:
    published(store, "g1", "g2")
    generation = generation_of(data_version(tmp_path, TAXONOMY, {"a": 0}))
    origin = origin_of_run(generation, "g1")
    note_origin(store, SHOP, "g2", origin)
    note_origin(store, SHOP, "g2", origin_of_run(generation, "g1", run="made again"))  # the same bytes
    assert origin_of(store, SHOP, "g2") == origin
    told = lineage(store, SHOP, "g2", nothing).as_dict()
    assert json.loads(json.dumps(told)) == told
    assert (told["by_hand"], told["run"]["name"], told["run"]["configuration"]) == (
        False,
        "nightly-12",
        {"bits": 64, "training": {"epochs": 3}},
    )
    assert told["data"] == {
        "md5": generation.dataset_md5,
        "before": "0" * 32 + ".dir",
        "changes": {"added": 1200, "removed": 0, "relabelled": 3},
        "cost": {"files": 5, "bytes": 30_879_334, "new_files": 2, "new_bytes": 1_234_567},
    }
    assert told["published"][0]["replaced"] == told["replaced"] == "g1"


def test_one_that_was_made_by_hand_is_told_by_its_manifest(store: CodeStore, tmp_path: Path) -> None:
    folder = tmp_path / "draft"
    made = make_generation(folder)
    folder.rename(tmp_path / made.id)
    published(store, made.id, "elsewhere")
    manifests = manifests_in(GenerationFiles.open(tmp_path))
    told = lineage(store, SHOP, made.id, manifests).as_dict()
    assert (told["by_hand"], told["run"], told["judgement"]) == (True, None, None)
    assert (told["data"]["md5"], told["hasher"]["bits"]) == (made.dataset_md5, made.bits)
    other = lineage(store, SHOP, "elsewhere", manifests).as_dict()
    assert (other["by_hand"], other["hasher"], other["data"]) == (True, None, None)
    assert lineage(store, SHOP, made.id, manifests_in(None)).made is None


@pytest.mark.parametrize("name", ["g7", "no name", "..", ""])
def test_one_that_nobody_knows_is_told_in_one_line(store: CodeStore, name: str) -> None:
    with pytest.raises(UnknownGenerationError) as caught:
        lineage(store, SHOP, name, nothing)
    assert "\n" not in str(caught.value)
    with pytest.raises(TaxohashError, match="nowhere"):
        lineage(store, "nowhere", "g1", nothing)


@pytest.mark.parametrize("text", ["{", "[]", '{"run": 3}', "[" * 9999])
def test_an_origin_that_is_none_is_told(store: CodeStore, text: str) -> None:
    published(store, "g1")
    store.note_origin(SHOP, "g1", text)
    with pytest.raises(TaxohashError, match="the origin of generation 'g1' is damaged") as caught:
        lineage(store, SHOP, "g1", nothing)
    assert "\n" not in str(caught.value)


def test_what_a_later_release_says_besides_is_left_out(store: CodeStore, tmp_path: Path) -> None:
    published(store, "g1")
    origin = origin_of_run(generation_of(data_version(tmp_path, TAXONOMY, {"a": 0})))
    note_origin(store, SHOP, "g1", origin)
    told = json.loads(store.origin(SHOP, "g1") or "") | {"weather": "fine"}
    store.note_origin(SHOP, "g1", json.dumps(told))
    assert origin_of(store, SHOP, "g1") == origin
