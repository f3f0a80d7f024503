"""The keys in force while their file changes."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from services import metrics
from services.retrieval.access import keys
from services.retrieval.access.ring import Ring
from taxohash.errors import TaxohashError
from tests.support.keyring import Keyring, key_of
from tests.support.waiting import until


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys.json")


def found(ring: Ring, keyring: Keyring) -> set[str]:
    shown = {name: ring.find(secret.encode()) for name, secret in keyring.secrets.items()}
    assert all(known is None or known.key.name == name for name, known in shown.items())
    return {name for name, known in shown.items() if known}


def test_each_key_is_found_by_its_secret(keyring: Keyring) -> None:
    assert found(Ring(keyring.path), keyring) == {"search", "write", "admin", "expired"}


def test_a_change_is_taken_over(keyring: Keyring) -> None:
    ring = Ring(keyring.path)
    del keyring.keys["search"]
    keyring.secrets["new"] = keys.new_secret()
    keyring.keys["new"] = key_of(keyring.secrets["new"], "new")
    keyring.write()
    ring.look()
    assert found(ring, keyring) == {"new", "write", "admin", "expired"}


def test_no_key_is_left_where_all_are_removed(keyring: Keyring) -> None:
    ring = Ring(keyring.path)
    keyring.keys.clear()
    keyring.write()
    ring.look()
    assert found(ring, keyring) == set()


def _break(path: Path) -> None:
    path.write_text(path.read_text()[:-20])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [_break, _empty, Path.unlink, _folder])
def test_a_file_that_is_broken_or_gone_leaves_the_last_good_keys(
    keyring: Keyring, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    ring = Ring(keyring.path)
    harm(keyring.path)
    for _ in range(3):
        ring.look()
    assert found(ring, keyring) == {"search", "write", "admin", "expired"}
    assert metrics.KEYS_FILE_FAILING._value.get() == 1
    (said,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert "stay in force" in said.getMessage()
    if keyring.path.is_dir():
        keyring.path.rmdir()
    del keyring.keys["write"]
    keyring.write()
    ring.look()
    assert found(ring, keyring) == {"search", "admin", "expired"}
    assert metrics.KEYS_FILE_FAILING._value.get() == 0


@pytest.mark.parametrize("harm", [_break, _empty, Path.unlink, _folder])
def test_at_start_such_a_file_is_refused(keyring: Keyring, harm: Callable[[Path], None]) -> None:
    harm(keyring.path)
    with pytest.raises(TaxohashError, match=r"keys\.json"):
        Ring(keyring.path)


def test_a_rotation_fills_no_bucket(keyring: Keyring) -> None:
    secret = keyring.secrets["search"]
    keyring.keys["search"] = key_of(secret, "search", rate=1.0, burst=2)
    keyring.write()
    ring = Ring(keyring.path)
    before = ring.find(secret.encode())
    keyring.secrets["new"] = keys.new_secret()
    keyring.keys["new"] = key_of(keyring.secrets["new"], "new")
    keyring.write()
    ring.look()
    after = ring.find(secret.encode())
    assert before
    assert after
    assert before.bucket is after.bucket is not None


def test_the_next_expiry_is_told(keyring: Keyring) -> None:
    """Of those that are still in force: one that has expired long since is no news."""
    ring = Ring(keyring.path)
    ring.look()
    expected = min(keys.unix(keyring.keys[name].expires) for name in ("search", "write", "admin"))
    assert metrics.KEYS_EXPIRE._value.get() == expected


def test_a_thread_looks_by_itself(keyring: Keyring) -> None:
    ring = Ring(keyring.path)
    ring.start()
    try:
        del keyring.keys["search"]
        keyring.write()
        until(lambda: "search" not in found(ring, keyring))
    finally:
        ring.stop()
