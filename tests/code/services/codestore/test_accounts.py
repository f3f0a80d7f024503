"""The ACL file and the addresses: what they say, what they hide, and what is refused. What the rights are worth is
asked of servers in tests/system."""

import hashlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.accounts import ADMIN, READER, WRITER, acl, address_of, write_accounts
from taxohash.errors import TaxohashError
from tests.support.command import run

ADDRESS = "redis://codestore:6379/0"
NAMES = ["reader", "writer", "admin", "exporter", "cluster"]
FILES = ["users.acl", *(f"{name}.{kind}" for name in NAMES for kind in ("password", "url"))]


def digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def test_a_line_for_each_and_no_password_in_it(tmp_path: Path) -> None:
    given = {f"TAXOHASH_{name.upper()}_PASSWORD": f"secret {name}" for name in NAMES}
    assert write_accounts(tmp_path, ADDRESS, given) == [tmp_path / file for file in FILES]
    text = (tmp_path / "users.acl").read_text()
    assert "secret" not in text
    assert text == acl({name: digest(f"secret {name}") for name in NAMES})
    assert [line.split()[:3] for line in text.splitlines()] == [
        ["user", "default", "off"],
        ["user", "probe", "on"],
        *(["user", name, "on"] for name in NAMES),
    ]


def test_each_account_may_do_what_the_one_before_may() -> None:
    for less, more in pairwise((READER, WRITER, ADMIN)):
        assert set(less.commands) < set(more.commands)


def test_passwords_are_made_once_and_nobody_else_may_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "accounts"
    write_accounts(folder, ADDRESS, {})
    assert sorted(file.name for file in folder.iterdir()) == sorted(FILES)
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert len({before[f"{name}.password"] for name in NAMES}) == len(NAMES)
    assert all(len(before[f"{name}.password"]) == 48 for name in NAMES)
    write_accounts(folder, ADDRESS, {})
    assert {file.name: file.read_text() for file in folder.iterdir()} == before


def test_a_password_of_the_environment_wins_over_that_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "reader.password").write_text("by hand\n")
    write_accounts(tmp_path, ADDRESS, {})
    assert digest("by hand") in (tmp_path / "users.acl").read_text()
    write_accounts(tmp_path, ADDRESS, {"TAXOHASH_READER_PASSWORD": "given"})
    assert digest("given") in (tmp_path / "users.acl").read_text()
    assert (tmp_path / "reader.url").read_text() == "redis://reader:given@codestore:6379/0"


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30))
def test_the_address_brings_the_very_password(password: str) -> None:
    url = address_of("writer", password, "rediss://host.example:7000/1?health_check_interval=5")
    pool = redis.ConnectionPool.from_url(url)
    found = {name: pool.connection_kwargs[name] for name in ("username", "password", "host", "port", "db")}
    assert found == {
        "username": "writer",
        "password": password,
        "host": "host.example",
        "port": 7000,
        "db": 1,
    }
    socket = urlsplit(address_of("writer", password, "unix:///run/redis.sock"))
    assert (unquote(str(socket.password)), socket.path) == (password, "/run/redis.sock")


def unreadable(folder: Path) -> None:
    (folder / "writer.password").mkdir()


def binary(folder: Path) -> None:
    (folder / "writer.password").write_bytes(b"\xff\xfe")


def two_lines(folder: Path) -> None:
    (folder / "writer.password").write_text("one\ntwo")


def empty(folder: Path) -> None:
    (folder / "writer.password").write_text("\n")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (unreadable, "writer.password cannot be read"),
        (binary, "the password of writer is not UTF-8: give another"),
        (two_lines, "writer.password is no password: give one line of text"),
        (empty, "writer.password is no password: give one line of text"),
    ],
)
def test_a_password_that_is_none_is_one_line_and_nothing_is_written(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(tmp_path)
    done = run("services.codestore.accounts", tmp_path, "--address", ADDRESS)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("accounts: ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["writer.password"]


@pytest.mark.parametrize("password", ["", " \n", "\ud800", "a\tb"])
def test_a_variable_that_is_no_password_is_refused_without_showing_it(password: str, tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match=r"ADMIN_PASSWORD is no password|of admin is not UTF-8"):
        write_accounts(tmp_path, ADDRESS, {"TAXOHASH_ADMIN_PASSWORD": password})


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("codestore:6379", "'codestore:6379' is no store address: give one such as redis://codestore:6379/0"),
        ("http://codestore", "is no store address"),
        ("redis://", "is no store address"),
        ("me:secret@codestore:6379", "the address names a user or password"),
        ("redis://me:secret@codestore", "give it without, each account gets its own"),
    ],
)
def test_what_is_no_address_is_one_line(tmp_path: Path, address: str, said: str) -> None:
    done = run("services.codestore.accounts", tmp_path, "--address", address)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_it_wrote_and_no_password(tmp_path: Path) -> None:
    done = run("services.codestore.accounts", tmp_path, "--address", ADDRESS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [str(tmp_path / file) for file in FILES]
    (tmp_path / "file").touch()
    done = run("services.codestore.accounts", tmp_path / "file", "--address", ADDRESS)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "file/users.acl cannot be written" in done.stderr
