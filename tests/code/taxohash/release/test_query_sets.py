"""Pictures that ask: where they come from, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.datasets.writer import Row, write_dataset, write_split
from taxohash.errors import TaxohashError
from taxohash.generation.canaries import Canaries
from taxohash.release.query_sets import QuerySet, evenly, of_canaries, of_files, pictures_of, query_sets
from tests.support.generations import TAXONOMY, pictures
from tests.support.shadows import generation

SHOTS = pictures(6)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    labelled = [Row(data, f"test/{row}", [row, 0] if row else []) for row, data in enumerate(SHOTS[:3])]
    plain = [Row(data, f"more/{row}", None) for row, data in enumerate(SHOTS[3:])]
    write_dataset(tmp_path / "data", TAXONOMY, [("test", labelled), ("more", plain)])
    write_split(tmp_path / "data" / "none.parquet", [])
    return Dataset.open(tmp_path / "data")


def test_splits_ask_with_their_labels_and_know_which_items_they_are(data: Dataset, tmp_path: Path) -> None:
    known, plain = query_sets(data, item_ids(data), ["test", "more", "test"], generation(tmp_path / "a"))
    assert (known.name, len(known), known.are_items) == ("test", 3, True)
    assert list(known.names) == ["test/0", "test/1", "test/2"]
    assert list(known.pictures(np.array([2, 0]))) == [SHOTS[2], SHOTS[0]]
    assert known.labels == [
        [],
        [TAXONOMY.paths[1], TAXONOMY.paths[0]],
        [TAXONOMY.paths[2], TAXONOMY.paths[0]],
    ]
    assert (plain.name, plain.labels) == ("more", None)


def test_canaries_of_the_later_generation_ask_unless_the_split_does(tmp_path: Path, data: Dataset) -> None:
    after = generation(tmp_path / "a")
    Canaries(tuple(SHOTS[:2]), ((1,), (2, 0))).save(after.folder)
    (own,) = query_sets(None, {}, [], after)
    assert (own.name, own.are_items, list(own.names)) == ("canary", False, ["canary 1", "canary 2"])
    assert own.labels == [[TAXONOMY.paths[1]], [TAXONOMY.paths[2], TAXONOMY.paths[0]]]
    assert list(own.pictures(np.array([1]))) == [SHOTS[1]]
    with pytest.raises(TaxohashError, match="no split 'canary'"):
        query_sets(data, item_ids(data), ["canary"], after)


def test_a_file_that_is_gone_is_not_there(tmp_path: Path) -> None:
    files = [tmp_path / "a" / "1.png", tmp_path / "2.png"]
    files[0].parent.mkdir()
    files[0].write_bytes(SHOTS[0])
    found = of_files("pictures", tmp_path, files)
    assert list(found.names) == ["a/1.png", "2.png"]
    assert list(found.pictures(np.array([1, 0]))) == [None, SHOTS[0]]


def test_what_asks_nothing_is_one_line(data: Dataset, tmp_path: Path) -> None:
    after = generation(tmp_path / "a")
    with pytest.raises(TaxohashError, match="none has no picture to ask with: choose other queries"):
        query_sets(data, item_ids(data), ["none"], after)
    with pytest.raises(TaxohashError, match="no split 'absent': choose one of"):
        query_sets(data, item_ids(data), ["absent"], after)
    with pytest.raises(TaxohashError, match="test are splits of no data set"):
        query_sets(None, {}, ["test"], after)
    with pytest.raises(TaxohashError, match="a canary has the label 9, the tree 'signs' 0 to 5"):
        of_canaries(Canaries((SHOTS[0],), ((9,),)), TAXONOMY)
    with pytest.raises(TaxohashError, match="x has no picture"):
        QuerySet("x", [], lambda rows: [])


def test_pictures_of_items_are_found_in_whichever_split_they_lie(data: Dataset) -> None:
    found = pictures_of(data, item_ids(data))(["more/1", "test/0", "elsewhere"])
    assert found == {"more/1": SHOTS[4], "test/0": SHOTS[0]}


@pytest.mark.parametrize("count", [1, 5, 6, 7, 1000])
def test_some_of_many_are_evenly_spread(count: int) -> None:
    rows = evenly(count, 6)
    assert len(rows) == min(count, 6) == len({*rows.tolist()})
    assert (rows[0], rows[-1]) == (0, count - 1)
    assert np.ptp(np.diff(rows)) <= 1 if len(rows) > 1 else True
