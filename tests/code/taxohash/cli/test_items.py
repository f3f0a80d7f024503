"""What is put of files and folders; the service's part is in tests/system/test_client.py."""

from pathlib import Path

import pytest

from taxohash.cli.items import uploads_of
from taxohash.client import Upload
from taxohash.errors import TaxohashError


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name in ("tops/1.png", "tops/shirts/2.jpg", "3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"p")
    return tmp_path


def said(uploads: list[Upload]) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [(upload.id, tuple(upload.labels), tuple(upload.tags)) for upload in uploads]


def test_ids_are_names_and_paths_below_a_folder(shop: Path) -> None:
    found = uploads_of([shop / "3.png", shop], None, "p/", ["all"], ["t"], folders_are_labels=True)
    assert said(found) == [
        ("p/3.png", ("all",), ("t",)),
        ("p/3.png", ("all",), ("t",)),
        ("p/tops/1.png", ("tops", "all"), ("t",)),
        ("p/tops/shirts/2.jpg", ("tops/shirts", "all"), ("t",)),
    ]
    assert said(uploads_of([shop / "3.png"], "own", "", [], [], folders_are_labels=False)) == [
        ("own", (), ())
    ]
    assert said(uploads_of([shop / "3.png"], "own", "p/", [], [], folders_are_labels=False)) == [
        ("p/own", (), ())
    ]


def test_an_id_names_one_picture(shop: Path) -> None:
    for sources in ([shop], [shop / "3.png", shop / "tops" / "1.png"]):
        with pytest.raises(TaxohashError, match="--id names one item"):
            uploads_of(sources, "own", "", [], [], folders_are_labels=False)
