"""What each account may do and what it may not, asked of every server and of a cluster."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import redis

from services.codestore import CodeStore, GenerationRef, Item, Lacking, functions
from services.codestore.accounts import ACCOUNTS, ADMIN
from services.codestore.backfill import Backfilled, Pace, Turn, backfill
from services.codestore.backfill.status import status
from services.codestore.quarantine import Lack
from services.trigger.state import SWAP
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy
from tests.support import servers
from tests.support.accounts import (
    ACL,
    BACKFILL,
    CHANNEL,
    COLLECTION,
    FREEING,
    LEASES,
    LIBRARY,
    ORIGINS,
    PASSWORDS,
    SEGMENT,
)

pytestmark = pytest.mark.system

# So that nothing but the users' rights keeps anybody from these two.
CONFIGURATION = 'save ""\nenable-debug-command yes\nenable-module-command yes\n'
# By the server itself, or by it on behalf of a function.
REFUSED = re.compile(
    r"no permissions|can't (run this command|access at least one of the keys)", re.IGNORECASE
)

Operation = Callable[[Any], object]


def command(*words: str) -> Operation:
    return lambda client: client.execute_command(*words)


# What is asked: who may.
TABLE: dict[str, tuple[str, Operation]] = {
    "ask whether it answers": ("reader writer admin exporter cluster probe", command("PING")),
    "read a segment": ("reader writer admin", lambda client: client.fcall_ro("read", 3, *SEGMENT)),
    "read a collection": ("reader writer admin", lambda client: client.fcall_ro("read", 2, *COLLECTION)),
    "read the stream of changes": ("reader writer admin", command("XRANGE", SEGMENT[1], "-", "+")),
    "read the audit": ("reader writer admin", command("XREVRANGE", COLLECTION[1], "+", "-", "COUNT", "9")),
    "read where a generation comes from": ("reader writer admin", command("HGET", ORIGINS, "generation")),
    "listen for changes": ("reader writer admin", command("SUBSCRIBE", CHANNEL)),
    "hold a lease": ("reader writer admin", command("ZADD", LEASES, "1", "generation process")),
    "let go of a lease": ("reader writer admin", command("ZREM", LEASES, "generation process")),
    "see the leases": ("reader writer admin", command("ZRANGE", LEASES, "0", "-1", "WITHSCORES")),
    "see how the server is": ("reader writer admin exporter cluster", command("INFO")),
    "wait for replicas": ("reader writer admin exporter cluster", command("WAIT", "0", "1")),
    # Writing.
    "write a segment": ("writer admin", lambda client: client.fcall("write", 3, *SEGMENT, "item")),
    "load the functions": ("writer admin", lambda client: client.function_load(LIBRARY, replace=True)),
    "list the functions": ("writer admin", lambda client: client.function_list()),
    "write a field by hand": ("writer admin", command("HSET", SEGMENT[0], "field", "value")),
    "announce a change": ("writer admin", command("PUBLISH", CHANNEL, "3")),
    "backfill": ("writer admin", lambda client: client.fcall("quarantine", 2, *BACKFILL, "item")),
    "pause a backfill": ("writer admin", command("HSET", BACKFILL[0], "paused", "somebody")),
    "see how far a backfill is": ("reader writer admin", command("HSCAN", BACKFILL[0], "0")),
    "see what is in quarantine": ("reader writer admin", command("HSCAN", BACKFILL[1], "0")),
    # Publishing, and all else that is kept in a collection's own keys.
    "publish": ("admin", lambda client: client.fcall("publish", 2, *COLLECTION, "generation")),
    "publish by hand": ("admin", command("HSET", COLLECTION[0], "published", "generation")),
    "publish by the function of a segment": (
        "admin",
        lambda client: client.fcall("write", 3, COLLECTION[0], *SEGMENT[1:], "item"),
    ),
    "say where a generation comes from": ("admin", command("HSET", ORIGINS, "generation", "a run")),
    "write the audit": ("admin", command("XADD", COLLECTION[1], "*", "to", "generation")),
    "forge a segment's field of a collection": ("admin", command("HDEL", COLLECTION[0], "nothing")),
    "make a segment": (
        "admin",
        lambda client: client.fcall(
            "make", 3, "taxohash:{new:0}", "taxohash:{new:0}:a", "taxohash:{new:0}:b"
        ),
    ),
    "free memory without the functions": ("admin", command("EVAL", FREEING, "1", SEGMENT[0], "nothing")),
    "remember for the trigger": ("admin", command("EVAL", SWAP, "1", "taxohash:trigger:{c}", "0", "state")),
    "remove a key": ("admin", command("UNLINK", "taxohash:{c:3}:old")),
    "see the settings": ("admin", command("CONFIG", "GET", "maxmemory")),
    "see how long commands took": ("exporter", command("LATENCY", "HISTOGRAM")),
    "count slow commands": ("exporter", command("SLOWLOG", "LEN")),
    "bring a server into the cluster": ("cluster", command("CLUSTER", "MEET", "127.0.0.1", "1")),
    "give slots that nobody has": ("cluster", command("CLUSTER", "ADDSLOTSRANGE", "0", "1")),
    # What no account needs.
    "take slots": ("", command("CLUSTER", "SETSLOT", "0", "NODE", "0" * 40)),
    "see slow commands": ("", command("SLOWLOG", "GET")),
    "read another's key": ("", command("HGET", "other", "field")),
    "write another's key": ("", command("HSET", "other", "field", "value")),
    "remove another's key": ("", command("DEL", "other")),
    "reach another's key by a script": ("", command("EVAL", "return redis.call('DEL', 'other')", "0")),
    "reach another's key by a function": (
        "",
        lambda client: client.fcall("write", 3, "a", "a:b", "a:c", "item"),
    ),
    "listen to others": ("", command("SUBSCRIBE", "other")),
    "listen to everything": ("", command("PSUBSCRIBE", "*")),
    "speak to others": ("", command("PUBLISH", "other", "text")),
    "empty the server": ("", command("FLUSHALL")),
    "empty a database": ("", command("FLUSHDB")),
    "flush the functions": ("", command("FUNCTION", "FLUSH")),
    "delete a library": ("", command("FUNCTION", "DELETE", "shape")),
    "list all keys": ("", command("KEYS", "*")),
    "walk through all keys": ("", command("SCAN", "0")),
    "move a key to another server": ("", command("MIGRATE", "127.0.0.1", "1", SEGMENT[0], "0", "10")),
    "put bytes in a key's place": ("", command("RESTORE", SEGMENT[0], "0", "bytes", "REPLACE")),
    "rename a key": ("", command("RENAME", SEGMENT[0], SEGMENT[1])),
    "debug": ("", command("DEBUG", "SLEEP", "0")),
    "see the users": ("", command("ACL", "LIST")),
    "change the users": ("", command("ACL", "SETUSER", "reader", "+@all")),
    "change the settings": ("", command("CONFIG", "SET", "maxmemory", "1")),
    "write the settings": ("", command("CONFIG", "REWRITE")),
    "watch what others send": ("", command("MONITOR")),
    "list the clients": ("", command("CLIENT", "LIST")),
    "end a client": ("", command("CLIENT", "KILL", "ID", "1")),
    "stop the clients": ("", command("CLIENT", "PAUSE", "1")),
    "stop the server": ("", command("SHUTDOWN", "NOSAVE")),
    "make it a replica": ("", command("REPLICAOF", "127.0.0.1", "1")),
    "copy its data": ("", command("PSYNC", "?", "-1")),
    "change the cluster": ("", command("CLUSTER", "FORGET", "0" * 40)),
    "load a module": ("", command("MODULE", "LOAD", "/nowhere")),
    "rewrite its file": ("", command("BGREWRITEAOF")),
}
IN_A_CLUSTER = {
    "read a segment": SEGMENT[0],
    "write a segment": SEGMENT[0],
    "read a collection": COLLECTION[0],
    "publish": COLLECTION[0],
    "hold a lease": LEASES,
    "backfill": BACKFILL[0],
    "read another's key": "other",
}
USERS = (*(account.name for account in ACCOUNTS), "probe")


@pytest.fixture(scope="module", params=servers.SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server with the shipped users, the functions, and a key of somebody else."""
    program, folder = servers.binary(request.param), tmp_path_factory.mktemp("accounts")
    # Somebody who may do everything, to set the stage.
    acl = f"{ACL}user stage on >stage ~* &* +@all\n"
    with servers.ConfiguredServer(program, folder, CONFIGURATION, acl) as started:
        with started.client("stage", "stage") as stage:
            stage.hset("other", "field", "value")
            stage.function_load(LIBRARY)
        yield started


def may(operation: Operation, client: Any) -> bool:
    """Whether the server lets this account; another error than a refusal is an answer too."""
    try:
        operation(client)
    except redis.ResponseError as error:
        refused = isinstance(error, redis.exceptions.NoPermissionError) or bool(REFUSED.search(str(error)))
        return not refused
    except redis.ConnectionError as error:
        raise AssertionError("the server did something that ended it or the connection") from error
    return True


@pytest.mark.parametrize("user", USERS)
def test_each_may_do_what_its_work_needs_and_no_more(server: servers.ConfiguredServer, user: str) -> None:
    found = {}
    for what, (_, operation) in TABLE.items():
        with server.client(user, PASSWORDS.get(user, "any")) as client:
            found[what] = may(operation, client)
    assert found == {what: user in who.split() for what, (who, _) in TABLE.items()}
    with server.client("stage", "stage") as stage:
        assert stage.hget("other", "field") == b"value"


def test_nobody_comes_in_without_a_password(server: servers.ConfiguredServer) -> None:
    for user, password in ((None, None), ("default", ""), ("reader", ""), ("admin", PASSWORDS["reader"])):
        with server.client(user, password) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_the_table_can_tell(server: servers.ConfiguredServer) -> None:
    with server.client("stage", "stage") as stage:
        for what in ("read another's key", "publish", "flush the functions", "load the functions"):
            assert may(TABLE[what][1], stage)


def test_connecting_leaves_no_refusal_in_the_log(server: servers.ConfiguredServer) -> None:
    with server.client("stage", "stage") as stage:
        stage.execute_command("ACL", "LOG", "RESET")
        for protocol in (2, 3):
            for user in PASSWORDS:
                url = f"redis://{user}:{PASSWORDS[user]}@127.0.0.1:{server.port}"
                with redis.Redis.from_url(url, protocol=protocol) as client:
                    client.ping()
                    assert client.info("cluster")
        assert stage.execute_command("ACL", "LOG") == []


@pytest.mark.parametrize("cluster", ["cluster_url", "cluster8_url", "cluster7_url"])
def test_in_a_cluster_too(cluster: str, request: pytest.FixtureRequest) -> None:
    url: str = request.getfixturevalue(cluster)
    lines = [line.split()[1:] for line in ACL.splitlines() if not line.startswith("user default")]
    with redis.RedisCluster.from_url(url) as stage:
        stage.function_load(LIBRARY)
        for user, *rules in lines:
            stage.execute_command("ACL SETUSER", user, *rules, target_nodes=stage.ALL_NODES)
        stage.hset("other", "field", "value")
        for user in PASSWORDS:
            with redis.RedisCluster.from_url(url, username=user, password=PASSWORDS[user]) as client:
                assert len(client.get_primaries()) == 3
                for what, key in IN_A_CLUSTER.items():
                    who, operation = TABLE[what]
                    node = client.get_redis_connection(client.get_node_from_key(key))
                    assert may(operation, node) == (user in who.split()), (user, what)
        stage.execute_command("ACL DELUSER", *(user for user, *_ in lines), target_nodes=stage.ALL_NODES)


def unreadable(_item: Lacking) -> bytes:
    raise TaxohashError("it is none")


def test_the_store_itself_works_with_the_least_rights(server: servers.ConfiguredServer) -> None:
    taxonomy = Taxonomy("products", (("tops", "shirt"), ("shoes", "boot")))
    ref, codes = GenerationRef("g", 8, taxonomy.sha256), np.zeros((3, 1), np.uint8)
    items = [Item(f"item {number}", (number % 2,)) for number in range(3)]

    def connect(user: str) -> CodeStore:
        password = quote(PASSWORDS[user], safe="")
        return CodeStore.connect(f"redis://{user}:{password}@127.0.0.1:{server.port}", timeout=5)

    with connect("admin") as admin, connect("writer") as writer, connect("reader") as reader:
        admin.create("real", taxonomy, segments=2)
        admin.begin("real", ref)
        assert admin.fill("real", "g", items, codes).count("added") == 3
        admin.seal("real", "g", 3)
        admin.publish("real", "g", who="admin")
        assert writer.upsert("real", [Item("new", (1,))], {"g": codes[:1]}).count("added") == 1
        assert writer.put_codes("real", "g", ["item 1"], codes[:1]).results == ("coded",)
        writer.upsert("real", [Item("bad", uri="u")])
        with Turn(writer, "real", "g", "runner") as turn:
            done = backfill(writer, "real", "g", unreadable, lambda _pictures: codes[:1], turn, Pace())
            assert done == Backfilled(quarantined=1)
            assert reader.lack("real", "g") == Lack(quarantined=1)
            assert status(reader, "real").generations[0].runner == "runner"
        assert writer.retry_quarantined("real", "g") == 1
        writer.pause("real", "writer")
        assert reader.paused("real") == "writer"
        writer.resume("real")
        assert writer.delete("real", ["bad"]).results == ("deleted",)
        assert writer.delete("real", ["item 0"]).results == ("deleted",)
        assert sorted(reader.snapshot("real").ids) == ["item 1", "item 2", "new"]
        assert reader.state("real").history == ("g",)
        assert reader.collection_figures("real").items == 3
        assert reader.server_figures().memory > 0
        assert [entry.who for entry in reader.audit("real")] == ["admin", ""]
        reader.lease("real", "g", "process", 5)
        assert reader.leases("real").keys() == {("g", "process")}
        reader.release("real", "g", "process")
        for use in (
            lambda: reader.upsert("real", [Item("another")]),
            lambda: reader.publish("real", "g2"),
            lambda: reader.pause("real", "reader"),
            lambda: reader.hold("real", "g", "reader", 5),
            lambda: writer.begin("real", GenerationRef("h", 8, taxonomy.sha256)),
            lambda: writer.rollback("real"),
            lambda: writer.discard("real", "g"),
        ):
            with pytest.raises(TaxohashError) as refused:
                use()
            assert str(refused.value).isprintable()
        assert admin.gc("real").generations == ()
        assert reader.count("real") == 3


def test_the_accounts_have_every_command_of_the_functions() -> None:
    used = set(re.findall(r"redis\.call\('(\w+)'", functions.SOURCE))
    assert used
    assert {command.lower() for command in used} <= set(ADMIN.commands)
