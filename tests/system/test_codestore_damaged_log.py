"""A damaged append-only log never starts silently: what is served is what was there, or it is told, or the start is refused."""

import hashlib
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import redis

from services.codestore import CodeStore, EmbeddedServer, Item
from services.codestore.records import GenerationRef
from taxohash.errors import TaxohashError
from tests.support.stored import BITS, TAXONOMY, fill_collection, some_codes, some_items
from tests.support.waiting import until

pytestmark = pytest.mark.system

ROUNDS = int(os.environ.get("TAXOHASH_DAMAGES", "6"))  # of each kind on each server
_PASSING = ("server.log", "lock", "redis.pid")
AGREES = "what is there agrees with its checksums"


def content_of(store: CodeStore) -> dict[str, object]:
    """All that a search of the collection could answer."""
    found: dict[str, object] = {item.id: item for item in store.scan("c")}
    for generation in store.history("c"):
        snapshot = store.snapshot("c", generation)
        for number, item_id in enumerate(snapshot.ids):
            found[f"{generation} {item_id}"] = (
                snapshot.codes[number].tobytes(),
                tuple(snapshot.labels[number]),
            )
    return found


@pytest.fixture
def left(server_binary: Path, tmp_path: Path) -> tuple[Path, dict[str, object]]:
    """The data of a server that was stopped, a part of them in the base of its log, and what they say."""
    data = tmp_path / "left"
    with EmbeddedServer(data, binary=server_binary) as server, CodeStore.connect(server.url) as store:
        fill_collection(store)
        with redis.Redis.from_url(server.url) as client:
            client.bgrewriteaof()
            until(lambda: client.info("persistence")["aof_rewrite_in_progress"] == 0)
        store.upsert("c", some_items(range(600, 700)), {"g1": some_codes(100)})
        store.delete("c", [item.id for item in some_items(range(50))])
        content = content_of(store)
    return data, content


def started(data: Path, binary: Path, damaged: str = "refuse") -> tuple[str, list[str], dict[str, object]]:
    """Refusal or nothing, what was told, and what it serves."""
    server = EmbeddedServer(data, binary=binary, damaged=damaged)  # type: ignore[arg-type]
    try:
        with server, CodeStore.connect(server.url) as store:
            return "", server.damage, content_of(store)
    except TaxohashError as error:
        return str(error), [], {}


def files_of(data: Path) -> dict[str, str]:
    kept = [path for path in data.rglob("*") if path.is_file() and path.name not in _PASSING]
    return {str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def cut(data: Path, random: np.random.Generator) -> None:
    file = next((data / "appendonlydir").glob("*.incr.aof"))
    os.truncate(file, int(random.integers(0, file.stat().st_size)))


def flip(data: Path, random: np.random.Generator) -> None:
    files = sorted(path for path in (data / "appendonlydir").iterdir() if path.stat().st_size)
    sizes = np.array([path.stat().st_size for path in files])
    file = files[int(random.choice(len(files), p=sizes / sizes.sum()))]
    content = bytearray(file.read_bytes())
    content[random.integers(len(content))] ^= 1 << int(random.integers(8))
    file.write_bytes(content)


def test_what_was_stopped_or_killed_is_served_without_a_word(
    left: tuple[Path, dict[str, object]], server_binary: Path
) -> None:
    data, content = left
    assert started(data, server_binary) == ("", [], content)
    server = EmbeddedServer(data, binary=server_binary, fsync="always").start()
    with CodeStore.connect(server.url) as store:
        store.upsert("c", some_items(range(700, 750)))
        content = content_of(store)
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not server.running)
    server.stop()
    assert started(data, server_binary) == ("", [], content)


@pytest.mark.parametrize("harm", [cut, flip])
def test_damage_after_the_end_is_told_or_the_start_is_refused(
    left: tuple[Path, dict[str, object]],
    server_binary: Path,
    tmp_path: Path,
    harm: Callable[[Path, np.random.Generator], None],
) -> None:
    whole, content = left
    refused = 0
    for seed in range(ROUNDS):
        data = tmp_path / f"{seed}"
        shutil.copytree(whole, data)
        harm(data, np.random.default_rng(seed))
        before = files_of(data)
        refusal, told, served = started(data, server_binary)
        assert refusal or told, seed
        assert not refusal or (
            "are damaged (its log is not as it was left: " in refusal and "restore a backup" in refusal
        )
        assert refusal or served == content or "its bytes give the checksum" in told[1], (seed, told)
        if refusal:
            refused += 1
            assert "\n" not in refusal
            assert files_of(data) == before
            assert started(data, server_binary)[0] == refusal
        shutil.rmtree(data)
    assert refused


@pytest.mark.parametrize("harm", [cut, flip])
def test_damage_whose_server_nobody_saw_end_is_found_by_checksums(
    left: tuple[Path, dict[str, object]],
    server_binary: Path,
    tmp_path: Path,
    harm: Callable[[Path, np.random.Generator], None],
) -> None:
    whole, content = left
    for seed in range(ROUNDS):
        data = tmp_path / f"{seed}"
        shutil.copytree(whole, data)
        (data / "ended").unlink()
        harm(data, np.random.default_rng(seed))
        refusal, told, served = started(data, server_binary)
        assert refusal or told, seed
        assert refusal or served == content or AGREES not in told[0], (seed, told)
        shutil.rmtree(data)


def test_a_power_cut_loses_the_last_writes_and_says_so(
    left: tuple[Path, dict[str, object]], server_binary: Path, tmp_path: Path
) -> None:
    data, before = left
    server = EmbeddedServer(data, binary=server_binary, fsync="always").start()
    with CodeStore.connect(server.url) as store:
        for number in range(20):
            store.upsert("c", [Item(f"late {number}", (0,))])
    shutil.copytree(data, tmp_path / "copy", ignore=shutil.ignore_patterns("run"))
    server.stop()
    data = tmp_path / "copy"
    file = next((data / "appendonlydir").glob("*.incr.aof"))
    os.truncate(file, file.stat().st_size - 30)
    refusal, told, served = started(data, server_binary)
    assert refusal == ""
    assert AGREES in told[0]
    assert re.fullmatch(r"\d+ bytes of a write that was not finished were cut off its log", told[1])
    assert {name for name in served if name.startswith("late")} == {f"late {number}" for number in range(19)}
    assert before.keys() <= served.keys()
    assert not list(data.glob("damaged-*"))
    assert started(data, server_binary) == ("", [], served)


def test_what_is_missing_is_named_and_served_if_it_must_be(
    left: tuple[Path, dict[str, object]], server_binary: Path
) -> None:
    data, content = left
    file = next((data / "appendonlydir").glob("*.incr.aof"))
    size = file.stat().st_size // 2
    os.truncate(file, size)
    refusal, _, _ = started(data, server_binary)
    assert re.search(r"is \d+ bytes shorter; collection 'c': its last \d writes are missing", refusal)
    refusal, told, served = started(data, server_binary, damaged="serve")
    assert refusal == ""
    assert any("writes are missing" in line for line in told)
    assert served
    assert served != content
    kept = list(data.glob("damaged-*"))
    assert [f"its log as it was found is kept in {path}" for path in kept] == told[-1:]
    assert (kept[0] / file.name).stat().st_size == size
    assert started(data, server_binary) == ("", [], served)


def test_what_cannot_be_loaded_is_refused_in_any_case(
    left: tuple[Path, dict[str, object]], server_binary: Path
) -> None:
    data, _ = left
    file = next((data / "appendonlydir").glob("*.incr.aof"))
    content = file.read_bytes()
    half = content.index(b"\r\n*", len(content) // 2) + 2
    file.write_bytes(content[:half] + b"!" + content[half + 1 :])
    for damaged in ("refuse", "serve"):
        refusal, _, _ = started(data, server_binary, damaged)
        assert "has other bytes" in refusal
        assert refusal.endswith("): restore a backup into an empty directory")


def test_damage_of_what_nobody_serves_is_told(server_binary: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with EmbeddedServer(data, binary=server_binary) as server, CodeStore.connect(server.url) as store:
        fill_collection(store)
        store.create("other", TAXONOMY, 1)
        store.begin("other", GenerationRef("g", BITS, TAXONOMY.sha256))
        store.fill("other", "g", some_items(range(50)), some_codes(50))
        content = content_of(store)
    file = next((data / "appendonlydir").glob("*.incr.aof"))
    os.truncate(file, file.stat().st_size - 100)
    refusal, told, served = started(data, server_binary)
    assert refusal == ""
    assert told[0].startswith("its log is not as it was left: ")
    assert told[1] == "collection 'other': its last 1 writes are missing"
    assert served == content


def test_a_log_that_is_gone_is_refused(left: tuple[Path, dict[str, object]], server_binary: Path) -> None:
    data, _ = left
    shutil.rmtree(data / "appendonlydir")
    assert "generation 'g1' was published, now none is" in started(data, server_binary)[0]
    assert "generation 'g1' was published, now none is" in started(data, server_binary)[0]
    assert not list((data / "appendonlydir").iterdir())
