"""The journal of an upload: whatever was cut off, what is read of it was acknowledged."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxohash.client.journal import Journal
from taxohash.client.uploads import Loaded, Upload
from taxohash.errors import TaxohashError
from tests.support.hostile_ids import HOSTILE_IDS

URL = "http://service.test"


def item(item_id: str, picture: bytes = b"p") -> Loaded:
    return Upload(item_id, picture).load()


def test_what_was_acknowledged_is_known_again(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    with Journal(file, URL) as journal:
        journal.add(map(item, HOSTILE_IDS))
        assert journal.has(item(HOSTILE_IDS[0]))
        assert not journal.has(item("other"))
    with Journal(file, URL) as journal:
        assert all(journal.has(item(item_id)) for item_id in HOSTILE_IDS)
        assert not journal.has(item(HOSTILE_IDS[0], b"changed"))
        journal.add([item(HOSTILE_IDS[0], b"changed")])
    with Journal(file, URL) as journal:
        assert journal.has(item(HOSTILE_IDS[0], b"changed"))
        assert not journal.has(item(HOSTILE_IDS[0]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("journal") / "whole"
    with Journal(file, URL) as journal:
        for number in range(4):
            journal.add([item(f"item {number}")])
    return file


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_cut_off_anywhere_it_is_the_journal_of_the_lines_before(whole: Path, data: st.DataObject) -> None:
    text = whole.read_bytes()
    cut = text[: data.draw(st.integers(0, len(text)))]
    file = whole.with_name("cut")
    file.write_bytes(cut)
    lines = cut.count(b"\n")
    for _ in range(2):
        with Journal(file, URL) as journal:
            assert [journal.has(item(f"item {n}")) for n in range(4)] == [n < lines - 1 for n in range(4)]
            journal.add([item("more")])
    with Journal(file, URL) as journal:
        assert journal.has(item("more"))


@pytest.mark.parametrize(
    "text", ["hello", "hello\n", "{}", "[]\n", "3", '{"journal": "another"}\n', "\n", "\0"]
)
def test_another_file_is_refused_and_stays(tmp_path: Path, text: str) -> None:
    file = tmp_path / "notes"
    file.write_text(text)
    with pytest.raises(TaxohashError, match="no journal"):
        Journal(file, URL)
    assert file.read_text() == text


def test_another_services_is_refused(whole: Path) -> None:
    with pytest.raises(TaxohashError, match=r"is of an upload to http://service\.test"):
        Journal(whole, "http://other.test")


def test_one_upload_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", URL), pytest.raises(TaxohashError, match="another upload"):
        Journal(tmp_path / "j", URL)
    Journal(tmp_path / "j", URL).close()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "none" / "j"):
        with pytest.raises(TaxohashError, match="cannot be written"):
            Journal(file, URL)
