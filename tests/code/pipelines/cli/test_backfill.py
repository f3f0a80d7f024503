"""`taxohash pipeline backfill` as it is typed."""

import argparse
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from pipelines.backfill import encode
from pipelines.backfill import follow as following
from pipelines.cli import backfill
from services.codestore import CodeStore, Item, own
from services.codestore.backfill import Turn
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from tests.support.backfills import COLLECTION, hashers_in, ref_of, with_items
from tests.support.data_versions import data_version
from tests.support.generations import TAXONOMY


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    for module in (encode, following, backfill):
        monkeypatch.setattr(module, "announce", found.append)
    return found


@pytest.fixture
def hashers(tmp_path: Path) -> list[Hasher]:
    return hashers_in(tmp_path / "generations")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hashers: list[Hasher]) -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as made:
        with_items(made, hashers, tmp_path, monkeypatch)
        monkeypatch.setenv("TAXOHASH_GENERATIONS", str(tmp_path / "generations"))
        monkeypatch.setattr(own, "code_store", lambda: nullcontext(made))
        yield made


def run(*options: str) -> int:
    parser = argparse.ArgumentParser()
    backfill.add(parser.add_subparsers())
    return backfill.run(parser.parse_args(["backfill", *options]))


def sleeping(sleep: Callable[[float], None]) -> Callable[[CodeStore, str, encode.Encoder], NoReturn]:
    """What follows, where something else than sleep happens between two looks."""
    return partial(following.follow, sleep=sleep)


def test_all_that_can_have_a_code_gets_it_and_bad_pictures_are_no_failure(
    store: CodeStore, hashers: list[Hasher], told: list[str]
) -> None:
    assert run() == 0
    assert [store.count(COLLECTION, hasher.generation.id) for hasher in hashers] == [3, 3]
    assert told[-1] == "6 codes put, 0 overtaken by writes, 2 quarantined, 0 lacking"
    assert run() == 0
    assert told[-1] == "0 codes put, 0 overtaken by writes, 0 quarantined, 0 lacking"
    assert run("--retry-quarantined") == 0
    assert told[-1] == "0 codes put, 0 overtaken by writes, 2 quarantined, 0 lacking"


def test_what_lacks_still_is_told_by_the_exit_code(
    store: CodeStore, hashers: list[Hasher], told: list[str], tmp_path: Path
) -> None:
    (tmp_path / "generations" / hashers[0].generation.id).rename(tmp_path / "away")
    assert run() == 1
    assert told[-1] == "3 codes put, 0 overtaken by writes, 1 quarantined, 4 lacking"
    assert run("--generations", str(tmp_path / "generations")) == 1


def test_items_of_a_data_set_have_their_pictures_there(
    store: CodeStore, hashers: list[Hasher], tmp_path: Path
) -> None:
    dataset = data_version(tmp_path / "data", TAXONOMY, {"a": 0, "b": 1})
    generation = hashers[0].generation.id
    store.discard(COLLECTION, generation)
    store.begin(COLLECTION, ref_of(hashers[0]))
    store.fill(COLLECTION, generation, [Item("a"), Item("b")])
    store.seal(COLLECTION, generation)
    assert run("--data", str(dataset.folder), "--rate", "100000") == 0
    assert {"a", "b"} <= set(store.snapshot(COLLECTION, generation).ids)


def test_how_far_it_is(store: CodeStore, hashers: list[Hasher], capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (hasher.generation.id for hasher in hashers)
    run()
    store.upsert(COLLECTION, [Item("new", uri="file:///elsewhere/a.png")])
    store.pause(COLLECTION, "somebody")
    capsys.readouterr()
    with Turn(store, COLLECTION, first, "runner"):
        assert run("--status", "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["collection"], found["paused"], found["follower"]) == (COLLECTION, "somebody", None)
        one, other = found["generations"]
        assert (one["id"], one["runner"], other["runner"]) == (first, "runner", None)
        counts = [one[name] for name in ("members", "codes", "waiting", "quarantined", "without_picture")]
        assert counts == [6, 3, 1, 1, 1]
        assert [entry["id"] for entry in one["quarantine"]] == ["bad"]
        assert "cannot be decoded" in one["quarantine"][0]["reason"]
        assert run("--status") == 0
    shown = capsys.readouterr().out
    assert f"quarantined in {second}: item 'bad': image of 10 bytes cannot be decoded" in shown
    assert "collection default is followed by nobody" in shown
    assert "paused by somebody: --resume has it go on" in shown


def test_it_is_paused_and_goes_on(store: CodeStore, monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    assert run("--pause") == 0
    assert store.paused(COLLECTION)

    def resume(_seconds: float) -> None:
        assert run("--resume") == 0

    monkeypatch.setattr(encode, "Encoder", partial(encode.Encoder, sleep=resume))
    assert run() == 0
    assert any(line.startswith("paused by ") for line in told)
    assert "resumed" in told
    assert not store.paused(COLLECTION)


def test_followed_until_ctrl_c(
    store: CodeStore, hashers: list[Hasher], monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(following, "follow", sleeping(interrupted))
    assert run("--follow") == 130
    assert told[-1] == "stopped; the same command goes on from here"
    assert store.count(COLLECTION, hashers[0].generation.id) == 3
    assert store.held(COLLECTION) == {}


def test_told_to_end_it_lets_go_of_what_it_holds(store: CodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(following, "follow", sleeping(lambda _seconds: os.kill(os.getpid(), signal.SIGTERM)))
    assert run("--follow") == 0
    assert store.held(COLLECTION) == {}
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rate", "0"], "--rate is 0: give pictures a second"),
        (["--rate", "nan"], "--rate is nan: give pictures a second"),
        (["--json"], "give --status with it"),
        (["--data", "/nowhere"], "/nowhere"),
        (["--collection", "no", "--status"], "there is no collection 'no'"),
        (["--collection", "no", "--pause"], "there is no collection 'no'"),
        (["--collection", "no", "--resume"], "there is no collection 'no'"),
        (["--collection", "no"], "there is no collection 'no'"),
    ],
)
def test_what_cannot_be_is_one_line(store: CodeStore, options: list[str], message: str) -> None:
    with pytest.raises(TaxohashError, match=message) as refused:
        run(*options)
    assert str(refused.value).isprintable()


def test_a_place_for_generations_must_be_named(store: CodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAXOHASH_GENERATIONS")
    with pytest.raises(TaxohashError, match="give --generations FOLDER, or set TAXOHASH_GENERATIONS"):
        run()
