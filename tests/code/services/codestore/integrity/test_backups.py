"""Backups beside each other: which is the newest, and which make way."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.codestore import CodeStore
from services.codestore.integrity.backup import backup
from services.codestore.integrity.backups import backups, dated, make_way, newest
from services.codestore.places import Place
from taxohash.errors import TaxohashError
from tests.support.stored import fill_collection

ROOTS = (f"memory://rows{number}" for number in itertools.count())
DAY = 86_400


@pytest.fixture(scope="module")
def store() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as store:
        fill_collection(store, count=100)
        yield store


@pytest.fixture(params=["folder", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "folder" else next(ROOTS)


def test_the_newest_stay(store: CodeStore, root: str) -> None:
    for day in range(4):
        backup(store, "c", dated(root, "c", day * DAY))
    place = Place.open(root, "backups")
    place.write("c-19700101T120000Z/segments/0-0", b"cut short")
    place.write("c-19700105T000000Z/segments/0-0", b"under way")
    place.write("other-19700101T000000Z/manifest.json", b"of another collection")
    place.write("c-notes/manifest.json", b"by hand")
    assert backups(root, "c") == [f"c-1970010{day}T000000Z" for day in (1, 2, 3, 4)]
    assert newest(root, "c") == f"{root}/c-19700104T000000Z"
    assert make_way(root, "c", 2) == ["c-19700101T000000Z", "c-19700101T120000Z", "c-19700102T000000Z"]
    left = {entry.name for entry in place.entries() if place.entries(entry.name)}
    assert left == {
        *("c-19700103T000000Z", "c-19700104T000000Z", "c-19700105T000000Z"),
        *("other-19700101T000000Z", "c-notes"),
    }
    assert make_way(root, "c", 2) == []


def test_none_is_removed_while_there_is_none(root: str) -> None:
    place = Place.open(root, "backups")
    place.write("c-19700101T000000Z/segments/0-0", b"under way")
    assert make_way(root, "c", 1) == []
    with pytest.raises(
        TaxohashError, match=r"there is no backup of collection 'c' in .*: name another place"
    ):
        newest(root, "c")
    with pytest.raises(TaxohashError, match="keep 1 at least"):
        make_way(root, "c", 0)
