"""The file of keys: read strictly, and no secret in what is said of it."""

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from services.retrieval.access import keys
from services.retrieval.access.keys import Key
from taxohash.errors import TaxohashError

SECRET = (
    "txh_" + "wqJs8M-2MyInvk3o-yPe51UE6pXFLMfIEHrKbN-8VX0"
)  # the same in every process: tests are named by it
ENTRY: dict[str, Any] = {
    "name": "shop",
    "role": "search",
    "digest": keys.digest_of(SECRET),
    "created": "2026-01-02T03:04:05Z",
    "expires": "2027-01-02T03:04:05Z",
    "rate": 50,
    "burst": 100,
}
WHERE = Path("keys.json")


def parsed(data: Any) -> tuple[Key, ...]:
    return keys.parse(json.dumps(data).encode(), WHERE)


def test_a_secret_has_256_bits_and_its_digest_is_sha256() -> None:
    made = {keys.new_secret() for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(keys.is_secret(secret.encode()) for secret in made)
    assert keys.digest_of(SECRET) == hashlib.sha256(SECRET.encode()).hexdigest()


def test_what_is_written_is_read() -> None:
    (key,) = parsed({"keys": [ENTRY]})
    assert (key.name, key.role, key.rate, key.burst) == ("shop", "search", 50.0, 100)
    assert keys.parse(keys.text_of((key,)).encode(), WHERE) == (key,)
    assert parsed({"keys": []}) == ()
    assert keys.unix(key.created) == 1767323045.0
    assert keys.utc(1767323045.9) == key.created


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "a\nb"},
        {"name": "shop\n"},
        {"name": "é"},
        {"name": "a" * 41},
        {"name": SECRET},
        {"role": "root"},
        {"role": "public"},
        {"digest": ""},
        {"digest": "0" * 63},
        {"digest": ENTRY["digest"].upper()},
        {"digest": SECRET},
        {"created": None},
        {"created": "2026-01-02"},
        {"expires": "2026-02-30T00:00:00Z"},
        {"expires": "2026-01-02T03:04:05+01:00"},
        {"expires": 1},
        {"rate": 0},
        {"rate": -1},
        {"rate": True},
        {"rate": "50"},
        {"rate": float("nan")},
        {"rate": float("inf")},
        {"burst": 0},
        {"burst": 1.5},
        {"key": SECRET},
    ],
)
def test_what_is_no_key_is_refused_without_showing_a_secret(change: dict[str, Any]) -> None:
    with pytest.raises(TaxohashError) as refused:
        parsed({"keys": [ENTRY | change]})
    assert "keys.json" in str(refused.value)
    assert "taxohash keys" in str(refused.value)
    assert SECRET[8:] not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("missing", ["name", "role", "digest", "created"])
def test_what_a_key_must_have(missing: str) -> None:
    with pytest.raises(TaxohashError, match=missing):
        parsed({"keys": [{name: value for name, value in ENTRY.items() if name != missing}]})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": [], "keys": []}',
        b'{"keys": []',
        b'{"keys": [1]}',
        b'{"keys": [], "more": 1}',
        b"\xff\xfe",
        b"[" * 100_000,
        SECRET.encode(),
        f'"{SECRET}"'.encode(),
        f'{{"keys": "{SECRET}"}}'.encode(),
    ],
)
def test_what_is_no_file_of_keys_is_refused_without_showing_a_secret(content: bytes) -> None:
    with pytest.raises(TaxohashError) as refused:
        keys.parse(content, WHERE)
    assert SECRET[8:] not in str(refused.value)


@hypothesis_settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_content_is_a_traceback(content: bytes) -> None:
    with pytest.raises(TaxohashError):
        keys.parse(content, WHERE)


def test_names_and_digests_are_there_once() -> None:
    other = ENTRY | {"digest": keys.digest_of("other")}
    with pytest.raises(TaxohashError, match="name shop twice"):
        parsed({"keys": [ENTRY, other]})
    with pytest.raises(TaxohashError, match="digest of key other twice"):
        parsed({"keys": [ENTRY, ENTRY | {"name": "other"}]})


def test_there_is_an_end_to_keys_and_bytes(tmp_path: Path) -> None:
    many = [ENTRY | {"name": f"k{i}", "digest": f"{i:064x}"} for i in range(keys.MOST_KEYS + 1)]
    assert len(parsed({"keys": many[:-1]})) == keys.MOST_KEYS
    with pytest.raises(TaxohashError, match="1001 keys"):
        parsed({"keys": many})
    (tmp_path / "large").write_bytes(b" " * (1024 * 1024 + 1))
    with pytest.raises(TaxohashError, match="bytes"):
        keys.load(tmp_path / "large")


def test_what_is_no_plain_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "absent", Path("/dev/zero"), Path("nul\0l")):
        with pytest.raises(TaxohashError, match="taxohash keys add"):
            keys.load(path)


def test_never_is_after_all_times() -> None:
    assert keys.unix(None) > time.time() + 1e12
