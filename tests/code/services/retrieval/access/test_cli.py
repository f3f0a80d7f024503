"""`taxohash keys`, as its users type it."""

import io
import json
import stat
import sys
import threading
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from services.retrieval.access import keys
from services.retrieval.access.cli import main
from services.retrieval.access.ring import Ring
from taxohash.errors import TaxohashError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "folder" / "keys.json"
    monkeypatch.setenv("TAXOHASH_API_KEYS_FILE", str(path))
    return path


def run(*words: str) -> tuple[int, str]:
    with redirect_stdout(io.StringIO()) as out:
        code = main(words)
    return code, out.getvalue()


def test_a_key_is_made_printed_once_and_in_force(file: Path) -> None:
    code, out = run("add", "shop", "--role", "write", "--days", "30", "--rate", "2.5")
    assert code == 0
    secret = out.strip()
    assert out == f"{secret}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in file.read_text()
    known = Ring(file).find(secret.encode())
    assert known
    assert (known.key.name, known.key.role, known.key.rate, known.key.burst) == ("shop", "write", 2.5, 3)
    assert known.until - keys.unix(known.key.created) == 30 * 86_400


def test_list_shows_what_there_is_and_neither_key_nor_digest(file: Path) -> None:
    secrets = [run("add", name, "--days", "0")[1].strip() for name in ("shop", "cms")]
    text, data = run("list")[1], run("list", "--json")[1]
    assert [entry["name"] for entry in json.loads(data)] == ["shop", "cms"]
    for shown in (text, data):
        assert "shop" in shown
        for secret in secrets:
            assert secret not in shown
            assert keys.digest_of(secret)[:16] not in shown


def test_a_removed_key_is_gone(file: Path) -> None:
    secret = run("add", "shop")[1].strip()
    run("add", "cms")
    run("remove", "shop")
    assert [key.name for key in keys.load(file)] == ["cms"]
    assert Ring(file).find(secret.encode()) is None
    run("remove", "cms")
    assert keys.load(file) == ()


def test_check_says_what_a_key_may_do(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = run("add", "shop")[1]
    monkeypatch.setattr(sys, "stdin", io.StringIO(secret))
    code, out = run("check")
    assert (code, out.startswith("key shop: search, expires ")) == (0, True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("other\n"))
    assert run("check") == (1, "this key is not in the file\n")
    old = keys.load(file)[0]
    file.write_text(file.read_text().replace(str(old.expires), "2001-01-01T00:00:00Z"))
    monkeypatch.setattr(sys, "stdin", io.StringIO(secret))
    assert run("check") == (1, "key shop: search, expired 2001-01-01T00:00:00Z\n")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["add", "a b"], "name 'a b'"),
        (["add", "a\n"], "name 'a\\\\n'"),
        (["add", "x" * 41], "at most 40"),
        (["add", "x", "--role", "root"], "one of search, write, admin"),
        (["add", "x", "--days", "-1"], "--days -1"),
        (["add", "x", "--days", "40000"], "--days 40000"),
        (["add", "x", "--rate", "0"], "rate"),
        (["add", "x", "--rate", "nan"], "rate"),
        (["add", "x", "--burst", "5"], "--rate"),
        (["add", "x", "--rate", "1", "--burst", "-5"], "burst"),
        (["add", "there"], "key there is there"),
        (["remove", "x"], "key 'x' is not there"),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(file: Path, words: list[str], named: str) -> None:
    run("add", "there")
    before = file.read_bytes()
    with pytest.raises(TaxohashError, match=named):
        main(words)
    assert file.read_bytes() == before


def test_a_broken_file_is_not_written_over(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("{")
    with pytest.raises(TaxohashError, match="not JSON"):
        main(["add", "shop"])
    assert file.read_text() == "{"


def test_a_link_goes_on_being_one(file: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    file.parent.mkdir()
    file.symlink_to(real)
    run("add", "shop")
    assert file.is_symlink()
    assert len(keys.load(real)) == 1


def test_without_a_file_it_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAXOHASH_API_KEYS_FILE", raising=False)
    with pytest.raises(TaxohashError, match="--file"):
        main(["list"])


def test_keys_that_are_made_at_once_are_all_kept(file: Path) -> None:
    threads = [threading.Thread(target=main, args=(["add", f"key-{n}"],)) for n in range(8)]
    with redirect_stdout(io.StringIO()):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {key.name for key in keys.load(file)} == {f"key-{n}" for n in range(8)}


def test_without_a_command_it_says_which_there_are() -> None:
    code, out = run()
    assert code == 2
    assert "remove" in out
