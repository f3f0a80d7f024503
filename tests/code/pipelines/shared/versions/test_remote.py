import hashlib
import json

import pytest

from pipelines.shared.versions.remote import Remote, files_of
from taxohash.errors import TaxohashError

MD5 = "0" * 32


@pytest.mark.parametrize(
    "path",
    ["", ".", "/etc/passwd", "../up", "a/../../up", "a\0b", "a\ud800", "./a", "a//b"],
    ids=["none", "itself", "root", "up", "up2", "null", "no name", "dotted", "doubled"],
)
def test_no_path_leads_out_of_the_folder(path: str) -> None:
    with pytest.raises(TaxohashError, match="make it with `dvc add`"):
        files_of(json.dumps([{"md5": MD5, "relpath": path}]).encode(), MD5)


@pytest.mark.parametrize(
    "listing",
    [
        b"",
        b"{",
        b"1",
        b"[1]",
        b"{}x",
        b'[{"md5": 1}]',
        b'[{"md5": "1", "relpath": "a"}]',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_what_is_no_listing(listing: bytes) -> None:
    with pytest.raises(TaxohashError, match="make it with `dvc add`"):
        files_of(listing, MD5)


@pytest.mark.parametrize("paths", [["a", "a"], ["b", "a"]], ids=["twice", "unordered"])
def test_a_listing_is_one_that_a_folder_can_have(paths: list[str]) -> None:
    """Else its folder would never be found whole, and be made again at each pull."""
    listing = json.dumps([{"md5": MD5, "relpath": path} for path in paths], sort_keys=True).encode()
    with pytest.raises(TaxohashError, match="does not list its files as DVC does"):
        files_of(listing, hashlib.md5(listing).hexdigest() + ".dir")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "no DVC remote is named: give a folder, or s3://bucket/prefix"),
        ("ftp://host/x", "is no address of DVC remote"),
        ("/nowhere/at/all", "make it first"),
    ],
)
def test_what_is_no_remote(address: str, said: str) -> None:
    with pytest.raises(TaxohashError, match=said):
        Remote(address)
