"""Pictures of items that are gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.codestore import CodeStore, Item, StoreUnavailableError, unused_pictures
from services.codestore.pictures import Pictures, digest_of
from services.codestore.unused_pictures import remove_unused, sweep_unused
from taxohash.taxonomy import Taxonomy

DATA = [b"first", b"second", b"third"]
FIRST, SECOND, THIRD = map(digest_of, DATA)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    made = Pictures.open(tmp_path / "pictures")
    made.put_many(DATA)
    return made


@pytest.fixture
def store() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as made:
        made.create("c", Taxonomy("t", (("a", "b"),)), segments=2)
        made.upsert("c", [Item("a", picture=FIRST, thumbnail=SECOND), Item("b", thumbnail=SECOND)])
        yield made


def test_what_no_item_names_goes(store: CodeStore, pictures: Pictures) -> None:
    assert remove_unused(store, "c", pictures, [FIRST, SECOND, THIRD, THIRD]) == [THIRD]
    store.delete("c", ["a"])
    assert remove_unused(store, "c", pictures, [FIRST, SECOND]) == [FIRST]
    assert list(pictures.digests()) == [SECOND]
    store.delete("c", ["b"])
    assert remove_unused(store, "c", pictures, [SECOND, digest_of(b"never there")]) == [SECOND]
    assert not list(pictures.digests())


def test_what_is_put_again_meanwhile_stays(
    store: CodeStore, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([1.0, 2.0])
    monkeypatch.setattr(pictures, "written", lambda digest: next(times))
    assert remove_unused(store, "c", pictures, [THIRD]) == []
    assert pictures.get(THIRD) == b"third"


def test_what_no_item_has_named_for_a_while_is_swept(store: CodeStore, pictures: Pictures) -> None:
    assert sweep_unused(store, "c", pictures) == 0  # all are young
    assert sweep_unused(store, "c", pictures, grace=-1.0) == 1
    assert set(pictures.digests()) == {FIRST, SECOND}
    store.delete("c", ["a", "b"])
    assert sweep_unused(store, "c", pictures, grace=-1.0) == 2


def test_other_collections_of_the_store_are_asked_too(store: CodeStore, pictures: Pictures) -> None:
    store.create("d", Taxonomy("t", (("a", "b"),)), segments=1)
    store.upsert("d", [Item("a", picture=FIRST)])
    assert store.collections() == ["c", "d"]
    store.delete("c", ["a", "b"])
    assert remove_unused(store, "c", pictures, [FIRST, SECOND]) == [SECOND]
    assert sweep_unused(store, "c", pictures, grace=-1.0) == 1
    assert list(pictures.digests()) == [FIRST]


def test_where_keys_cannot_be_listed_one_collection_is_asked(
    store: CodeStore, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create("d", Taxonomy("t", (("a", "b"),)), segments=1)
    store.upsert("d", [Item("a", picture=THIRD)])
    monkeypatch.setattr(store, "collections", lambda: None)
    assert remove_unused(store, "c", pictures, [FIRST, SECOND, THIRD]) == [THIRD]


def test_a_store_that_goes_away_keeps_all(
    store: CodeStore, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(collection: str, digests: object) -> set[str]:
        if collection != "c":
            raise StoreUnavailableError("away")
        return set()

    monkeypatch.setattr(store, "collections", lambda: ["c", "d"])
    monkeypatch.setattr(store, "named_pictures", away)
    with pytest.raises(StoreUnavailableError):
        remove_unused(store, "c", pictures, [THIRD])
    assert THIRD in pictures.digests()


def test_what_an_item_names_that_is_written_right_before_the_removal_stays(
    store: CodeStore, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = pictures.delete

    def written_meanwhile(digest: str) -> None:
        """Its writer has seen that the picture is there."""
        if digest == THIRD:
            assert pictures.has(digest)
            store.upsert("c", [Item("late", picture=THIRD)])
        delete(digest)

    store.delete("c", ["a"])
    monkeypatch.setattr(pictures, "delete", written_meanwhile)
    assert remove_unused(store, "c", pictures, [FIRST, THIRD]) == [FIRST]
    assert pictures.get(THIRD) == b"third"
    assert not pictures.has(FIRST)


def test_pictures_are_removed_a_few_at_a_time(
    store: CodeStore, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unused_pictures, "_HELD_BYTES", 1)
    store.delete("c", ["a", "b"])
    assert remove_unused(store, "c", pictures, [FIRST, SECOND, THIRD]) == sorted([FIRST, SECOND, THIRD])
    assert not list(pictures.digests())


def test_pictures_are_as_they_were_where_the_store_goes_away_meanwhile(
    store: CodeStore, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, looks = store.named_pictures, 0

    def goes_away(collection: str, digests: set[str]) -> set[str]:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise StoreUnavailableError("gone")
        return named(collection, digests)

    monkeypatch.setattr(store, "named_pictures", goes_away)
    with pytest.raises(StoreUnavailableError):
        remove_unused(store, "c", pictures, [THIRD])
    assert pictures.get(THIRD) == b"third"
