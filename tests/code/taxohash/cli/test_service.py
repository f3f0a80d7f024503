"""Where the key comes from; the service's answer to it is in tests/system/test_client.py."""

from pathlib import Path

import pytest

from taxohash.cli.service import client_of, tell_refused
from taxohash.errors import TaxohashError

URL = "http://127.0.0.1:1"


def test_a_key_that_cannot_be_is_one_line_that_does_not_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("s3 cret\n")
    monkeypatch.setenv("TAXOHASH_API_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(TaxohashError, match="key") as error:
        client_of(URL)
    assert "s3" not in str(error.value)
    monkeypatch.setenv("TAXOHASH_API_KEY", "good")  # comes first
    client_of(URL).close()


def test_a_file_of_the_key_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAXOHASH_API_KEY", raising=False)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for file in (tmp_path, tmp_path / "none", tmp_path / "binary"):
        monkeypatch.setenv("TAXOHASH_API_KEY_FILE", str(file))
        with pytest.raises(TaxohashError, match=str(file)):
            client_of(URL)


def test_what_is_refused_is_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell_refused([("a\nb", "it\x1b cannot be"), ("c", "nor this")])
    assert capsys.readouterr().err == "taxohash: a\\nb: it\\x1b cannot be\ntaxohash: c: nor this\n"
    assert not tell_refused([])
