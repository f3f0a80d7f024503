"""Sampled queries in a folder, in memory and on S3: whole or absent, whoever else writes and removes there."""

from pathlib import Path

import pytest

from services.codestore.connection import StoreUnavailableError
from services.codestore.pictures import MAX_PICTURE, Pictures, digest_of
from services.codestore.places import Place
from services.codestore.sampled import Facts, Kept, SampledQueries, SampledQuery
from taxohash.errors import TaxohashError

HOUR = 3600.0


def query(when: int, picture: bytes = b"picture", pixels: str = "0" * 16) -> SampledQuery:
    return SampledQuery(
        picture, Facts(when=when, share=1.0, generation="g", bits=8, code="0f", pixels=pixels, nearest=2)
    )


@pytest.fixture
def pictures(address: str) -> Pictures:
    return Pictures.open(address)


@pytest.fixture
def queries(pictures: Pictures) -> SampledQueries:
    return SampledQueries(pictures.place, "shop")


def test_what_is_kept_is_given_the_oldest_first(queries: SampledQueries, pictures: Pictures) -> None:
    assert queries.kept() == [] == list(queries.queries())
    asked = [query(when, b"picture %d" % (when % 2)) for when in (3, 1, 2, 1)]
    kept = [queries.keep(one) for one in asked]
    there = queries.kept()
    assert [(one.when, one.digest, one.name, one.size) for one in there] == sorted(
        (one.when, one.digest, one.name, one.size) for one in kept
    )
    assert list(queries.queries()) == [asked[1], asked[3], asked[2], asked[0]]
    assert list(queries.queries(since=2)) == [asked[2], asked[0]]
    assert list(queries.queries(before=2)) == [asked[1], asked[3]]
    assert list(queries.queries(most=1)) == [asked[0]]
    assert list(queries.queries(most=0)) == []
    assert list(SampledQueries(pictures.place, "other").queries()) == []


def test_no_picture_of_an_item_is_one_and_the_reverse(queries: SampledQueries, pictures: Pictures) -> None:
    digest = pictures.put(b"picture")
    kept = queries.keep(query(1))
    assert list(pictures.digests()) == [digest] == [kept.digest]
    assert pictures.sweep([], grace=-HOUR) == 1
    assert list(queries.queries()) == [query(1)]
    pictures.put(b"picture")
    queries.remove(kept)
    assert pictures.has(digest)


def test_what_vanishes_while_it_is_read_is_passed_over(queries: SampledQueries) -> None:
    kept = [queries.keep(query(when)) for when in range(4)]
    reading = queries.queries()
    assert next(reading) == query(0)
    for gone in kept[1:3]:
        queries.remove(gone)
        queries.remove(gone)  # another process was first
    assert list(reading) == [query(3)]
    assert queries.read(kept[1]) is None


def test_what_is_damaged_or_another_thing_is_passed_over(queries: SampledQueries, pictures: Pictures) -> None:
    kept = [queries.keep(query(when)) for when in range(3)]
    pictures.place.write(f"sampled/shop/{kept[0].name}", b"picture")
    pictures.place.write(f"sampled/shop/{kept[1].name}", b"")
    pictures.place.write("sampled/shop/README", b"read me")
    assert list(queries.queries()) == [query(2)]
    assert [one.name for one in queries.kept()] == [one.name for one in kept]


def test_a_picture_that_is_another_than_its_name_says_is_passed_over(
    queries: SampledQueries, pictures: Pictures
) -> None:
    one, other = queries.keep(query(1)), queries.keep(query(2, b"other"))
    data = pictures.place.read(f"sampled/shop/{other.name}", 1000)
    assert data
    pictures.place.write(f"sampled/shop/{one.name}", data)
    assert list(queries.queries()) == [query(2, b"other")]


def test_those_of_some_pictures_are_forgotten(queries: SampledQueries) -> None:
    for when in range(3):
        queries.keep(query(when))
        queries.keep(query(when, b"other"))
    assert queries.forget([]) == 0
    assert queries.forget({digest_of(b"picture"), digest_of(b"nobody asked")}) == 3
    alike = query(7, b"picture as another file", "a" * 16)
    queries.keep(alike)
    assert list(queries.queries()) == [*(query(when, b"other") for when in range(3)), alike]
    assert queries.forget({"a" * 16}) == 1
    assert list(queries.queries()) == [query(when, b"other") for when in range(3)]


@pytest.mark.parametrize("size", [0, MAX_PICTURE + 1])
def test_what_no_store_of_pictures_takes_is_refused(size: int, tmp_path: Path) -> None:
    with pytest.raises(
        TaxohashError, match=f"a sampled query has {size} bytes: keep it to 1 to {MAX_PICTURE}"
    ):
        SampledQueries(Place.open(tmp_path, "pictures"), "shop").keep(query(1, bytes(size)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("collection", ["..", "", "a/b", "ü"])
def test_a_collection_that_can_be_none_is_refused(collection: str, tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match="is no name"):
        SampledQueries(Place.open(tmp_path, "pictures"), collection)


# -- in a folder -----------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path) -> tuple[SampledQueries, Path]:
    """With the folder where they lie."""
    made = SampledQueries.from_environment("shop", {"TAXOHASH_PICTURES": str(tmp_path)})
    assert made.address == f"{tmp_path}/sampled/shop"
    return made, tmp_path / "sampled" / "shop"


def test_what_a_killed_process_left_is_no_query_and_goes(here: tuple[SampledQueries, Path]) -> None:
    queries, folder = here
    kept = queries.keep(query(1))
    draft = folder / f".{kept.name}.abcd1234"
    draft.write_bytes(b"pict")
    now = draft.stat().st_mtime
    assert list(queries.queries()) == [query(1)]
    queries.remove_drafts(now + HOUR - 1)
    assert draft.exists()
    queries.remove_drafts(now + HOUR + 1)
    assert [file.name for file in folder.iterdir()] == [kept.name]


def test_a_place_that_cannot_be_used_is_told_in_one_line(here: tuple[SampledQueries, Path]) -> None:
    queries, folder = here
    folder.parent.write_bytes(b"")
    one = Kept(1, digest_of(b"x"), "0" * 16, "x", 1, 1.0)
    for use in (lambda: queries.keep(query(1)), lambda: queries.read(one)):
        with pytest.raises(StoreUnavailableError) as caught:
            use()
        assert "\n" not in str(caught.value)
