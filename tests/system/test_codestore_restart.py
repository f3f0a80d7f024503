"""What was acknowledged is there after a restart, with the settings and the users that the manifests ship, on every server."""

from pathlib import Path

import pytest
import redis

from tests.support import servers
from tests.support.accounts import ACL, COLLECTION, LIBRARY, PASSWORDS, SEGMENT
from tests.support.waiting import until

pytestmark = pytest.mark.system

CONFIGURATION = (Path(__file__).parents[2] / "manifests" / "base" / "codestore" / "valkey.conf").read_text()
OPERATOR = "user operator on >operator ~* &* +@all\n"  # who can rewrite the file when the test wants it
DEFAULT = "user default off ~* &* +@all\n"
# The line that earlier manifests had: the default user may only ask whether the server answers.
EARLIER = "user default on nopass resetkeys resetchannels -@all +ping\n"

Contents = dict[bytes, object]


def as_user(server: servers.ConfiguredServer, name: str) -> redis.Redis:
    return server.client(name, PASSWORDS.get(name, name))


def write(server: servers.ConfiguredServer, batch: str) -> None:
    """Write as the accounts do, by functions and plainly, and in a transaction."""
    with (
        as_user(server, "writer") as writer,
        as_user(server, "admin") as admin,
        as_user(server, "operator") as operator,
    ):
        writer.function_load(LIBRARY, replace=True)
        for number in range(20):
            writer.fcall("write", 3, *SEGMENT, f"{batch}-{number}")
        admin.fcall("publish", 2, *COLLECTION, batch)
        with operator.pipeline(transaction=True) as both:
            both.hset("taxohash:{c:4}", batch, "first").hset("taxohash:{c:4}:writers", batch, "second")
            both.execute()
        writer.hset("taxohash:{c:5}", batch, "plain")


def contents(server: servers.ConfiguredServer) -> Contents:
    """All that the server has: functions, hashes and streams."""
    with as_user(server, "operator") as operator:
        (library,) = operator.function_list(withcode=True)
        found: Contents = {b"functions": library[library.index(b"library_code") + 1]}
        for key in operator.keys("*"):
            is_stream = operator.type(key) == b"stream"
            found[key] = operator.xrange(key) if is_stream else operator.hgetall(key)
        return found


def rewrite(server: servers.ConfiguredServer) -> None:
    """Have the append-only file rewritten, as the server does by itself when it has doubled."""
    with as_user(server, "operator") as operator:
        operator.bgrewriteaof()
        until(lambda: not operator.info("persistence")["aof_rewrite_in_progress"])
        assert operator.info("persistence")["aof_last_bgrewrite_status"] == "ok"


def end(server: servers.ConfiguredServer, how: str) -> None:
    if how == "stop":
        server.stop()
        return
    with as_user(
        server, "operator"
    ) as operator:  # what it keeps back while it syncs is lost, and that is `everysec`
        until(lambda: operator.info("persistence")["aof_buffer_length"] == 0)
    server.kill()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_everything_is_there_after_a_restart(server_binary: Path, how: str, tmp_path: Path) -> None:
    with servers.ConfiguredServer(server_binary, tmp_path, CONFIGURATION, ACL + OPERATOR) as server:
        for batch in ("first", "second"):
            write(server, f"{batch}-before")
            rewrite(server)
            write(server, f"{batch}-after")
            before = contents(server)
            end(server, how)
            server.start()
            assert contents(server) == before
        assert len(before) == 9


LOSES = {servers.VALKEY: False, servers.REDIS_8: True, servers.REDIS_7: True}  # Redis 8.2.3


@pytest.mark.parametrize("server_name", servers.SERVERS)
def test_the_default_user_of_earlier_manifests_loses_data_and_the_file_brings_it_back(
    server_name: str, tmp_path: Path
) -> None:
    """Valkey 8.1, which those manifests pinned, is as Redis 7.0: valkey-io/valkey#3983."""
    program, earlier = servers.binary(server_name), ACL.replace(DEFAULT, EARLIER) + OPERATOR
    assert EARLIER in earlier
    with servers.ConfiguredServer(program, tmp_path, CONFIGURATION, earlier) as server:
        write(server, "one")
        before = contents(server)
        end(server, "kill")
        server.start()
        assert (contents(server) != before) == LOSES[server_name]
        end(server, "kill")
        server.acl.write_text(ACL + OPERATOR)
        server.start()
        assert contents(server) == before


def test_a_torn_write_is_undone_whole_by_the_pinned_server(tmp_path: Path) -> None:
    """The file ends within a transaction, as after a power cut: the server starts, and what is written next is kept."""
    program = servers.binary(servers.VALKEY)
    with servers.ConfiguredServer(program, tmp_path, CONFIGURATION, ACL + OPERATOR) as server:
        write(server, "one")
        before = contents(server)
        with as_user(server, "writer") as writer:
            writer.fcall("write", 3, *SEGMENT, "torn")
        end(server, "kill")
        (file,) = server.data.glob("appendonlydir/*.incr.aof")
        file.write_bytes(file.read_bytes()[:-30])
        server.start()
        assert contents(server) == before
        assert "Truncating the AOF" in server.log
        write(server, "two")
        before = contents(server)
        end(server, "kill")
        server.start()
        assert contents(server) == before
