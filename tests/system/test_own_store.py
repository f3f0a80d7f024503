"""The store among the user's data: one for all programs, whoever of them comes, goes or is killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import redis

from services.codestore import CodeStore
from services.codestore.own import OwnStore, address, code_store
from services.codestore.own.place import StorePlace
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy
from tests.support.waiting import until

pytestmark = pytest.mark.system

TAXONOMY = Taxonomy("products", (("tops", "shirt"), ("shoes", "boot")))
IDLE = 0.3
ROOT = Path(__file__).parents[2]
# Uses the store until its input ends: says its address, then writes an item for each line and says when that is acknowledged.
USER = """
import sys
from pathlib import Path
from services.codestore import CodeStore, Item
from services.codestore.own import OwnStore
with OwnStore(Path(sys.argv[1]), idle_seconds=float(sys.argv[2])) as own, CodeStore.connect(own.url) as store:
    print(own.url, flush=True)
    for line in sys.stdin:
        store.upsert("default", [Item(line.strip())])
        print(line, end="", flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "store"
    yield folder
    end(folder)


def keepers(folder: Path) -> list[psutil.Process]:
    """The processes that keep a store; there is one, or none."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "services.codestore.own.keeper" in words and str(folder) in words:
            found.append(process)
    return found


def end(folder: Path) -> None:
    for keeper in keepers(folder):
        with suppress(psutil.NoSuchProcess):
            keeper.terminate()
            keeper.wait(30)


def server_of(folder: Path) -> psutil.Process:
    return psutil.Process(int((StorePlace(folder).socket.parent / "redis.pid").read_text()))


def own(folder: Path) -> OwnStore:
    return OwnStore(folder, idle_seconds=IDLE)


@contextmanager
def user(folder: Path) -> "Iterator[subprocess.Popen[str]]":
    """Another program that uses the store; it is there when this is entered, and killed at the end."""
    words = [sys.executable, "-c", USER, str(folder), str(IDLE)]
    with subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def write(process: "subprocess.Popen[str]", name: str) -> None:
    """Have an item written; return when that is acknowledged."""
    assert process.stdin
    process.stdin.write(f"{name}\n")
    process.stdin.flush()
    assert line_of(process) == name


def ids(url: str) -> set[str]:
    with CodeStore.connect(url) as store:
        return {item.id for item in store.scan("default")}


def made(url: str) -> None:
    with CodeStore.connect(url) as store:
        store.create("default", TAXONOMY, 2)


def test_programs_share_it_and_it_ends_after_the_last_with_its_data_kept(folder: Path) -> None:
    with own(folder) as first:
        made(first.url)
        with user(folder) as other:
            assert line_of(other) == first.url
            write(other, "of the other")
            assert ids(first.url) == {"of the other"}
            (keeper,) = keepers(folder)
            server = server_of(folder)
        assert ids(first.url) == {"of the other"}
    until(lambda: not keeper.is_running() and not server.is_running())
    with own(folder) as again:
        assert again.url == first.url
        assert ids(again.url) == {"of the other"}


def test_the_end_of_him_who_started_it_is_nobodys_end(folder: Path) -> None:
    with user(folder) as starter, ExitStack() as stack:
        line_of(starter)
        second = stack.enter_context(own(folder))
        made(second.url)
        os.kill(starter.pid, signal.SIGKILL)
        starter.wait()
        (keeper,) = keepers(folder)
        with user(folder) as third:
            line_of(third)
            write(third, "later")
        assert keepers(folder) == [keeper]
        assert ids(second.url) == {"later"}


def test_many_that_start_at_once_get_one(folder: Path) -> None:
    with ExitStack() as stack:
        users = [stack.enter_context(user(folder)) for _ in range(4)]
        (url,) = {line_of(process) for process in users}
        until(lambda: len(keepers(folder)) == 1)  # the others see that they are too late
        made(url)
        for number, process in enumerate(users):
            write(process, str(number))
        assert ids(url) == {str(number) for number in range(4)}


@pytest.mark.parametrize("killed", ["keeper", "server"])
def test_what_was_acknowledged_is_there_after_a_kill_at_the_same_address(folder: Path, killed: str) -> None:
    with own(folder) as store, user(folder) as writer:
        url = line_of(writer)
        made(url)
        for number in range(20):
            write(writer, str(number))
        (old,) = keepers(folder)
        server = server_of(folder)
        (old if killed == "keeper" else server).kill()
        until(lambda: [keeper for keeper in keepers(folder) if keeper != old] and store._answers())
        assert ids(url) == {str(number) for number in range(20)}
        write(writer, "after")  # by a client that has not noticed
        until(lambda: len(keepers(folder)) == 1)


def test_who_comes_while_it_ends_gets_one_that_stays(folder: Path) -> None:
    for _ in range(4):
        with OwnStore(folder, idle_seconds=0.0) as store, redis.Redis.from_url(store.url) as client:
            client.incr("uses")
        # Some of these find the keeper about to end.
    with own(folder) as store, redis.Redis.from_url(store.url) as client:
        assert int(client.get("uses") or 0) == 4


def test_a_folder_with_a_long_name_has_its_socket_elsewhere_and_always_there(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / "store"
    with own(folder) as first:
        assert len(first.url) < 100
        made(first.url)
    with own(folder) as second:
        assert second.url == first.url
        assert ids(second.url) == set()
    until(lambda: not keepers(folder))


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for bad in (tmp_path / "file", tmp_path / "file" / "store"):
        with pytest.raises(TaxohashError, match="set XDG_DATA_HOME"):
            own(bad)
    mine = os.getuid()
    monkeypatch.setattr("os.getuid", lambda: mine + 1)
    with pytest.raises(TaxohashError, match="is no folder of this user"):
        own(tmp_path)


def test_damaged_data_are_told_in_the_servers_words(folder: Path) -> None:
    with own(folder) as store:
        made(store.url)
    until(lambda: not keepers(folder))
    (log,) = (folder / "data" / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(b"*3\r\nnothing like it\r\n" + log.read_bytes())
    with (
        pytest.raises(TaxohashError, match=r"data of the server of .* are damaged.*restore a backup"),
        own(folder),
    ):
        pass
    until(lambda: not keepers(folder))


def test_without_a_server_to_start_the_line_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", str(broken(folder.parent)))
    with pytest.raises(TaxohashError, match="was not started: see"), own(folder):
        pass


def broken(folder: Path) -> Path:
    """A Python that ends at once."""
    program = folder / "python"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    return program


def test_it_is_the_store_where_none_is_named(tmp_path: Path) -> None:
    environment = {"XDG_DATA_HOME": str(tmp_path)}
    with code_store(environment) as store:
        store.create("default", TAXONOMY, 2)
    with address(environment) as url:
        assert url == own(tmp_path / "taxohash" / "store").url
    with address(environment | {"TAXOHASH_REDIS_URL": " redis://elsewhere "}) as url:
        assert url == "redis://elsewhere"
    end(tmp_path / "taxohash" / "store")


def test_a_pod_has_none() -> None:
    with (
        pytest.raises(TaxohashError, match="TAXOHASH_REDIS_URL is not set"),
        address({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}),
    ):
        pass


def test_commands_see_one_collection_without_any_variable(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    (tmp_path / "taxonomy.json").write_text(TAXONOMY.to_json())

    def taxohash_store(*words: str) -> str:
        command = [
            sys.executable,
            "-c",
            "import sys; from services.codestore.cli.main import main; main(sys.argv[1:])",
        ]
        done = subprocess.run(
            [*command, *words], env=environment, cwd=ROOT, check=True, capture_output=True, text=True
        )
        return done.stdout

    taxohash_store("create", str(tmp_path))
    (tmp_path / "items.jsonl").write_text(json.dumps({"id": "a"}))
    assert taxohash_store("items", "put", str(tmp_path / "items.jsonl")) == "1 added, 0 replaced\n"
    assert json.loads(taxohash_store("status", "--json"))["items"] == 1
    end(tmp_path / ".local" / "share" / "taxohash" / "store")
