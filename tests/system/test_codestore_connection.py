"""The connection to the store against real servers, and against false ones."""

import itertools
import math
import os
import random
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

import pytest

from services.codestore import EmbeddedServer
from services.codestore.connection import (
    APPLIED,
    FSYNCED,
    Call,
    Connection,
    NotDurableError,
    StaleError,
    StoreUnavailableError,
    TryAgainError,
    promises,
    replicated,
)
from services.codestore.connection.topology import slot_of
from services.codestore.embedded import find_server
from taxohash.errors import TaxohashError
from tests.support import toy_functions
from tests.support.cluster import Cluster, running_cluster
from tests.support.false_server import GREETING, answering, certificate, echoing, false_server, in_tls, losing
from tests.support.outcome import answer
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.system

SECRET = "s3cr[e#t]%@"
NAMES = (f"toy{number}" for number in itertools.count())


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    toy_functions.install(monkeypatch)


Connect = Callable[..., Connection]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Opens connections that are closed after the test."""
    with ExitStack() as stack:

        def opened(url: str, timeout: float = 20) -> Connection:
            connection = Connection(url, timeout)
            stack.callback(connection.close)
            return connection

        yield opened


@pytest.fixture(params=["redis_url", "redis8_url", "cluster_url"])
def connection(request: pytest.FixtureRequest, connect: Connect) -> Connection:
    return connect(request.getfixturevalue(request.param))


def keys_of(name: str) -> tuple[str, str]:
    return (f"{{{name}}}:counter", f"{{{name}}}:writers")


def made(connection: Connection) -> tuple[str, str]:
    """The keys of a fresh counter."""
    keys = keys_of(next(NAMES))
    connection.call(Call("make", keys))
    return keys


def added(keys: tuple[str, str], seq: int, amount: int = 1, writer: str = "w") -> Call:
    return Call("add", keys, (writer, seq, amount))


def counted(keys: tuple[str, str]) -> Call:
    return Call("count", keys, read_only=True)


@contextmanager
def refused(kind: type[TaxohashError], message: str) -> Iterator[None]:
    """It is refused in one line, and nothing that is shown of it has the password or much of it."""
    with pytest.raises(kind, match=message) as caught:
        yield
    assert len(str(caught.value).splitlines()) == 1
    error: BaseException | None = caught.value
    while error is not None:
        shown = "".join(traceback.format_exception_only(error)) + repr(error)
        assert "s3cr" not in shown
        error = error.__cause__ or error.__context__


def open_and_use(url: str, timeout: float = 5) -> None:
    connection = Connection(url, timeout)
    try:
        connection.call(counted(made(connection)))
    finally:
        connection.close()


# -- calls -----------------------------------------------------------------------------------------


def test_replies_come_in_order_and_the_first_refusal_after_all_are_made(connection: Connection) -> None:
    counters = [made(connection) for _ in range(70)]
    calls = [added(keys, 1, number) for number, keys in enumerate(counters)]
    assert connection.call_all(calls) == list(range(70))
    bad = [
        Call("refuse", counters[3], ("first",), read_only=True),
        Call("refuse", counters[4], ("second",), read_only=True),
    ]
    again = [added(keys, 2) for keys in counters]
    with refused(TaxohashError, "^first$"):
        connection.call_all([*bad, *again])
    assert connection.call_all([counted(keys) for keys in counters]) == list(range(1, 71))
    assert connection.call_all([]) == []


def test_a_stale_collection_is_an_error_of_its_own(connection: Connection) -> None:
    with refused(StaleError, "^the counter was not made$"):
        connection.call(counted(keys_of("nowhere")))


def test_plain_commands_go_to_the_server_that_holds_the_key(connection: Connection) -> None:
    for number in range(20):
        key = f"taxohash:{{{next(NAMES)}}}:leases"
        assert connection.command("ZADD", key, 1.5, f"g{number}", key=key) == 1
        assert connection.command("ZRANGEBYSCORE", key, "-inf", "+inf", key=key) == [f"g{number}".encode()]
        assert connection.command("ZREM", key, f"g{number}", key=key) == 1
    connection.ping()
    assert b"redis_version" in connection.command("INFO")
    with refused(StoreUnavailableError, "see the log"):
        connection.command("ZADD", "a")


def test_large_arguments_and_replies_come_through(connection: Connection) -> None:
    keys = made(connection)
    values = [os.urandom(3_000_000) for _ in range(5)]
    connection.call_all([Call("fill", keys, (number, value)) for number, value in enumerate(values)])
    for number, value in enumerate(values):
        assert connection.command("HGET", keys[0], number, key=keys[0]) == value


def test_many_threads_share_a_connection(connection: Connection) -> None:
    keys = made(connection)

    def write(writer: int) -> None:
        for seq in range(1, 101):
            connection.call(added(keys, seq, writer=f"w{writer}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert connection.call(counted(keys)) == 800


def test_a_closed_connection_says_so(connection: Connection) -> None:
    connection.ping()
    connection.close()
    with refused(TaxohashError, "is closed: open another"):
        connection.ping()


def test_messages_are_handed_over_while_others_go_on_coming(connection: Connection) -> None:
    subscription = connection.subscribe("stream")
    subscription.wait(0.1)
    stop = threading.Event()

    def publish() -> None:
        for number in range(50_000):
            if stop.is_set():
                return
            connection.command("PUBLISH", "stream", str(number))

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(publish)
        found = subscription.wait(30)
        stop.set()
        done.result()
    subscription.close()
    assert 1 <= len(found) < 500


def test_a_child_process_shares_no_socket_with_its_parent(connection: Connection) -> None:
    of_child, of_parent = made(connection), made(connection)
    connection.call(added(of_child, 1, 1_000))
    subscription, said = connection.subscribe("toys"), set[bytes]()

    def count(keys: tuple[str, str]) -> list[int]:
        return [connection.call(added(keys, seq)) for seq in range(2, 502)]

    def hears(word: bytes) -> bool:
        connection.command("PUBLISH", "toys", word)
        said.update(subscription.wait(1.0))
        return word in said

    until(lambda: hears(b"before"))  # it is connected
    child = os.fork()
    if child == 0:
        status = 1
        with suppress(BaseException):
            subscription.wait(0.1)
            status = 0 if count(of_child) == list(range(1_001, 1_501)) else 2
        os._exit(status)
    assert count(of_parent) == list(range(1, 501))
    assert os.waitpid(child, 0)[1] == 0
    until(lambda: hears(b"after"))
    assert said == {b"before", b"after"}
    subscription.close()


def test_a_write_whose_answer_is_lost_is_made_again_and_counts_once(connect: Connect, redis_url: str) -> None:
    coins = random.Random(7)
    with false_server(losing(redis_url.removeprefix("unix://"), lambda: coins.random() < 0.3)) as port:
        connection = None
        while connection is None:
            connection = answer(lambda: connect(f"redis://127.0.0.1:{port}"))
        counters = [made(connection) for _ in range(3)]
        for seq in range(1, 101):
            durability = FSYNCED if seq % 20 == 0 else APPLIED
            assert connection.call_all([added(keys, seq) for keys in counters], durability) == [seq] * 3
        connection.close()


# -- a cluster whose slots move and whose servers go ------------------------------------------------


@pytest.fixture(scope="module", params=[None, "redis8_binary"], ids=["valkey", "redis8"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three primaries, and a server that holds no slot."""
    binary = request.param and request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("moving")
    with running_cluster(
        folder, without_slots=1, binary=binary, cluster_allow_replica_migration="no"
    ) as running:
        yield running


def test_a_half_moved_slot_is_waited_for_and_a_moved_one_followed(connect: Connect, cluster: Cluster) -> None:
    patient, hasty = connect(cluster.url, 20), connect(cluster.url, 0.5)
    keys = made(patient)
    slot, source, target = slot_of(keys[0]), cluster.holder(keys[0]), 3
    cluster.begin_move(slot, source, target)
    assert hasty.call(added(keys, 1)) == 1  # all keys are still there
    cluster.move_keys(slot, source, target, most=1)
    for call in (counted(keys), added(keys, 2)):
        with refused(TryAgainError, "slot is being moved: try again"):
            hasty.call(call)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(patient.call, added(keys, 2))
        time.sleep(0.2)
        cluster.move_keys(slot, source, target)
        assert waiting.result() == 2
    assert (
        hasty.call_all([added(keys, 3), counted(keys)])[0] == 3
    )  # asked at the new holder, which is not it yet
    cluster.end_move(slot, source, target)
    assert hasty.call(counted(keys)) == 3
    assert connect(cluster.url, 20).call(counted(keys)) == 3
    cluster.move(slot, target, source)
    assert hasty.call(counted(keys)) == 3


@pytest.mark.parametrize("move_slot", [Cluster.move, Cluster.move_at_once], ids=["by key", "at once"])
def test_nothing_is_lost_or_doubled_while_slots_move_to_and_fro(
    connect: Connect, cluster: Cluster, move_slot: Callable[[Cluster, int, int, int], None]
) -> None:
    if move_slot is Cluster.move_at_once and b"valkey" not in connect(cluster.url).command("INFO", "server"):
        pytest.skip("only Valkey moves a slot at once")
    setup = connect(cluster.url, 20)
    counters = [made(setup) for _ in range(6)]
    stop = threading.Event()

    def move() -> int:
        for moves, keys in enumerate(itertools.cycle(counters)):
            if stop.is_set():
                return moves
            source = cluster.holder(keys[0])
            move_slot(cluster, slot_of(keys[0]), source, (source + 1) % 4)
        raise AssertionError("no counters")

    def write(writer: int) -> int:
        connection = connect(cluster.url, 20)
        seen = [0] * len(counters)
        seq = 0
        while not stop.is_set():
            seq += 1
            calls = [added(keys, seq, writer=f"w{writer}") for keys in counters]
            counts = connection.call_all(calls)
            reads = connection.call_all([counted(keys) for keys in counters])
            for number, (count, read) in enumerate(zip(counts, reads, strict=True)):
                assert seen[number] < count <= read
                seen[number] = read
        return seq

    with ThreadPoolExecutor(4) as pool:
        mover = pool.submit(move)
        writers = [pool.submit(write, number) for number in range(3)]
        time.sleep(2)
        stop.set()
        acknowledged = sum(writer.result() for writer in writers)
        assert mover.result() > 4
    assert setup.call_all([counted(keys) for keys in counters]) == [acknowledged] * len(counters)
    for keys in counters:  # as it was
        source = cluster.holder(keys[0])
        if source == 3:
            cluster.move(slot_of(keys[0]), source, 0)


def test_a_server_of_the_cluster_that_is_gone_is_waited_for(connect: Connect, tmp_path: Path) -> None:
    with running_cluster(tmp_path, cluster_node_timeout=1000, cluster_require_full_coverage="no") as cluster:
        connection, hasty = connect(cluster.url, 30), connect(cluster.url, 0.5)
        counters = [made(connection) for _ in range(12)]
        gone = cluster.holder(counters[0][0])
        there = next(keys for keys in counters if cluster.holder(keys[0]) != gone)
        cluster.servers[gone].stop()
        with refused(TryAgainError, "try again"):
            hasty.call(added(counters[0], 1))
        assert hasty.call(added(there, 1)) == 1
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(connection.call_all, [added(keys, 1) for keys in counters])
            time.sleep(0.2)
            cluster.servers[gone].start()
            assert waiting.result() == [1] * 12
        assert hasty.call(counted(counters[0])) == 1


def test_a_replica_that_takes_over_is_found(connect: Connect, tmp_path: Path) -> None:
    with running_cluster(
        tmp_path, without_slots=1, cluster_node_timeout=1000, repl_diskless_sync_delay=0
    ) as cluster:
        connection = connect(cluster.url, 30)
        counters = [made(connection) for _ in range(12)]
        gone = cluster.holder(counters[0][0])
        cluster.clients[3].execute_command("CLUSTER", "REPLICATE", cluster.name(gone))
        assert connection.call_all(
            [added(keys, 1) for keys in counters if cluster.holder(keys[0]) == gone], replicated(1)
        )
        cluster.servers[gone].stop()
        assert connection.call(added(counters[0], 2)) == 2
        assert connection.call(counted(counters[0])) == 2
        with Listening(connection) as messages:
            connection.command("PUBLISH", "toys", "x")
            assert messages() == b"x"


# -- one server that is restarted, frozen, flushed, full -------------------------------------------


class Listening:
    """The first message of the channel "toys" while the block runs."""

    def __init__(self, connection: Connection) -> None:
        self._subscription = connection.subscribe("toys")

    def __enter__(self) -> Callable[[], bytes]:
        while self._subscription.wait(0.1) or self._subscription.trouble:
            pass
        return lambda: self._subscription.wait(10)[0]

    def __exit__(self, *_: object) -> None:
        self._subscription.close()


def test_a_server_that_is_restarted_on_its_address_is_used_on(connect: Connect, tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        connection = connect(server.url, 20)
        keys = made(connection)
        subscription = connection.subscribe("toys")
        for seq in range(1, 4):
            assert connection.call(added(keys, seq)) == seq
            server.stop()
            assert subscription.wait(0.05) == []
            assert subscription.trouble
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(connection.call, counted(keys))
                time.sleep(0.2)
                server.start()
                assert waiting.result() == seq
            while subscription.wait(0.1) or subscription.trouble:
                pass
            connection.command("PUBLISH", "toys", str(seq))
            assert subscription.wait(10) == [str(seq).encode()]
        subscription.close()
        server.stop()
        with refused(StoreUnavailableError, "start it, or correct the address"):
            connect(server.url, 20)


def test_a_frozen_server_costs_the_timeout_and_is_used_on_when_it_thaws(
    connect: Connect, tmp_path: Path
) -> None:
    with EmbeddedServer(tmp_path) as server:
        connection = connect(server.url, 0.5)
        keys = made(connection)
        os.kill(server.pid, SIGSTOP)
        try:
            for use in (
                lambda: connection.call(counted(keys)),
                lambda: connection.call_all([Call("fill", keys, ("x", bytes(1_000_000)))] * 200, FSYNCED),
                lambda: connection.command("TIME"),
                lambda: promises(connection),
                lambda: connect(server.url, 0.5).ping(),
            ):
                with refused(StoreUnavailableError, "in time|does not take what is sent"):
                    use()
            assert connection.subscribe("toys").wait(0.1) == []
        finally:
            os.kill(server.pid, SIGCONT)
        assert connection.call(counted(keys)) == 0


def test_a_busy_server_is_waited_for_and_then_named(connect: Connect, tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path, options={"busy-reply-threshold": 100}) as server:
        hasty, patient = connect(server.url, 0.6), connect(server.url, 20)
        keys = made(hasty)
        with ThreadPoolExecutor(1) as pool:
            spinning = pool.submit(patient.call, Call("spin", keys, (2,)))
            time.sleep(0.3)
            with refused(TryAgainError, "BUSY.*runs long|in time"):
                hasty.call(counted(keys))
            assert patient.call(counted(keys)) == 0
            assert spinning.result() > 0


@pytest.mark.parametrize("times", [50, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("url", ["redis_url", "redis8_url", "cluster_url"])
def test_flushed_functions_are_loaded_again(
    connect: Connect, url: str, times: int, request: pytest.FixtureRequest
) -> None:
    address = request.getfixturevalue(url)
    connection, other = connect(address, 20), connect(address, 20)
    counters = [made(connection) for _ in range(4)]
    stop, used = threading.Event(), threading.Event()

    def use() -> None:
        for seq in itertools.count(1):
            if stop.is_set():
                return
            assert connection.call_all([added(keys, seq) for keys in counters]) == [seq] * 4
            assert connection.call_all([counted(keys) for keys in counters]) == [seq] * 4
            used.set()

    with ThreadPoolExecutor(1) as pool:
        using = pool.submit(use)
        for flushed in itertools.count(1):
            other.on_primaries("FUNCTION", "FLUSH")
            time.sleep(0.002)
            if using.done() or (flushed >= times and used.is_set()):
                break
        stop.set()
        using.result()
        assert used.is_set()


def test_an_account_has_its_own_remedies(connect: Connect, tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        admin = connect(server.url, 5)
        keys = made(admin)
        admin.command(
            "ACL",
            "SETUSER",
            "reader",
            "on",
            ">pw",
            "%R~*",
            "+fcall_ro",
            "+hget",
            "+hexists",
            "+ping",
            "-function",
            "-info",
        )
        admin.command("ACL", "SETUSER", "limited", "on", ">pw", "~*", "+fcall", "+hget", "+hexists")
        reader = connect(server.url.replace("unix://", "unix://reader:pw@"), 5)
        limited = connect(server.url.replace("unix://", "unix://limited:pw@"), 5)
        assert reader.call(counted(keys)) == 0
        with refused(StoreUnavailableError, "NOPERM.*give it the right"):
            reader.call(added(keys, 1))
        with refused(StoreUnavailableError, "give it the right"):  # within the function
            limited.call(added(keys, 1))
        assert promises(reader) == [
            f"code store {reader.url}: this account may not read its settings (INFO),"
            " so that nothing is known of its durability"
        ]
        admin.command("FUNCTION", "FLUSH")
        with refused(StoreUnavailableError, "functions are not loaded.*connect a writer or admin once"):
            reader.call(counted(keys))
        admin.call(counted(keys))
        assert reader.call(counted(keys)) == 0
        subscription = reader.subscribe("toys")
        assert subscription.wait(0.1) == []
        assert "NOPERM" in subscription.trouble
        with refused(StoreUnavailableError, "WRONGPASS.*right user and password"):
            connect(server.url.replace("unix://", f"unix://reader:{SECRET.replace('%', '%25')}@"), 5)


@pytest.mark.parametrize("binary", ["valkey", "redis8_binary"])
def test_a_full_server_frees_memory_also_without_its_functions(
    connect: Connect, binary: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = find_server() if binary == "valkey" else request.getfixturevalue(binary)
    with EmbeddedServer(tmp_path, binary=path) as server:
        connection = connect(server.url, 5)
        keys = made(connection)
        connection.call_all([Call("fill", keys, (number, bytes(10_000))) for number in range(500)])
        used = dict(part.split(b":") for part in connection.command("INFO", "memory").split() if b":" in part)
        connection.command("CONFIG", "SET", "maxmemory", int(used[b"used_memory"]) - 1_000_000)
        with refused(StoreUnavailableError, "OOM.*free memory with `taxohash store gc`"):
            connection.call(Call("fill", keys, ("more", b"")))
        assert connection.call(Call("free", keys, (0,))) == 1
        connection.command("FUNCTION", "FLUSH")
        assert connection.call_all([Call("free", keys, (number,)) for number in range(1, 400)]) == [1] * 399
        assert connection.call(Call("fill", keys, ("more", b""))) == 1


def test_a_replica_is_named(connect: Connect, tmp_path: Path) -> None:
    port = free_port()
    soon = {"repl-diskless-sync-delay": 0}
    with EmbeddedServer(tmp_path / "a", port=port, options=soon), EmbeddedServer(tmp_path / "b") as second:
        primary, replica = connect(f"redis://127.0.0.1:{port}", 5), connect(second.url, 5)
        keys = made(replica)
        replica.command("REPLICAOF", "127.0.0.1", port)
        while b"master_link_status:up" not in replica.command("INFO", "replication"):
            time.sleep(0.01)
        keys = made(primary)
        assert primary.call_all([added(keys, 1)], replicated(1)) == [1]
        assert replica.call(counted(keys)) == 1
        with refused(StoreUnavailableError, "READONLY.*connect to the primary"):
            replica.call(added(keys, 2))
        replica.command("REPLICAOF", "NO", "ONE")
        assert replica.call(added(keys, 2)) == 2


# -- durability ------------------------------------------------------------------------------------


def test_a_write_is_as_durable_as_asked_or_it_is_said(connect: Connect, connection: Connection) -> None:
    counters = [made(connection) for _ in range(30)]
    for seq, durability in enumerate((APPLIED, FSYNCED), 1):
        assert connection.call_all([added(keys, seq) for keys in counters], durability) == [seq] * 30
    hasty = connect(connection.url, 0.5)
    with refused(NotDurableError, r"applied the write, but it is not replicated\(2\) in time \(0 replicas"):
        hasty.call_all([added(keys, 3) for keys in counters], replicated(2))
    assert (
        hasty.call_all([counted(keys) for keys in counters], replicated(2)) == [3] * 30
    )  # nothing was written


def test_what_never_reaches_the_disk_is_not_called_fsynced(connect: Connect, tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path, options={"appendfsync": "no"}) as server:
        keys = made(connect(server.url))
        # The second time by a socket that wrote nothing before: the function writes what it knows once more.
        for _ in range(2):
            connection = connect(server.url, 0.5)
            with refused(NotDurableError, "not fsynced in time .it is not on disk"):
                connection.call_all([added(keys, 1)], FSYNCED)
        assert connection.call(counted(keys)) == 1


def test_without_an_append_only_file_fsynced_is_refused_before_anything_is_written(
    connect: Connect, tmp_path: Path
) -> None:
    with EmbeddedServer(tmp_path, options={"appendonly": "no"}) as server:
        connection = connect(server.url, 5)
        keys = made(connection)
        with refused(StoreUnavailableError, "no append-only file.*set appendonly yes"):
            connection.call_all([added(keys, 1)], FSYNCED)
        assert connection.call_all([counted(keys)], FSYNCED) == [0]


INFO_ON = b"$13\r\naof_enabled:1\r\n"
INFO_LOADING = b"$26\r\nloading:1\r\naof_enabled:0\r\n\r\n"


def test_a_server_that_reads_its_append_only_file_is_waited_for_also_by_fsynced(connect: Connect) -> None:
    replies = (GREETING, INFO_LOADING, b"-LOADING it reads\r\n", INFO_ON, b":7\r\n", b"*2\r\n:1\r\n:0\r\n")
    with false_server(answering(*replies)) as port:
        connection = connect(f"redis://127.0.0.1:{port}", 5)
        assert connection.call_all([added(keys_of("x"), 1)], FSYNCED) == [7]


def policy(name: bytes) -> bytes:
    return b"%%1\r\n$11\r\nappendfsync\r\n$%d\r\n%s\r\n" % (len(name), name)


@pytest.mark.parametrize("answer", [policy(b"everysec"), b"-NOPERM no rights\r\n"])
def test_without_waitaof_fsynced_needs_fsync_at_each_write(connect: Connect, answer: bytes) -> None:
    old = GREETING.replace(b"7.4.0", b"7.0.9")
    with false_server(answering(old, INFO_ON, policy(b"always"), b":7\r\n")) as port:
        connection = connect(f"redis://127.0.0.1:{port}", 5)
        assert connection.call_all([added(keys_of("x"), 1)], FSYNCED) == [7]
        connection.close()
    with false_server(answering(old, INFO_ON, answer, b":7\r\n")) as port:
        connection = connect(f"redis://127.0.0.1:{port}", 5)
        with refused(
            StoreUnavailableError, "cannot tell what is fsynced .no WAITAOF, appendfsync (everysec|unknown)"
        ):
            connection.call_all([added(keys_of("x"), 1)], FSYNCED)
        connection.close()


def test_what_the_settings_cannot_promise_is_said(connect: Connect, tmp_path: Path) -> None:
    def said(**options: str) -> str:
        folder = tmp_path / "-".join(options.values())
        given = {name.replace("_", "-"): value for name, value in options.items()}
        with EmbeddedServer(folder, options=given) as server:
            lines = promises(connect(server.url, 5))
        assert all(line.startswith(f"code store {server.url}: ") and line.isprintable() for line in lines)
        return "\n".join(lines)

    lines = said(appendfsync="everysec")
    assert "about the last second" in lines
    assert "no replica" in lines
    assert "maxmemory is 0" in lines
    assert "appendonly is off" in said(appendonly="no")
    lines = said(appendfsync="always", maxmemory="1gb", maxmemory_policy="allkeys-lru")
    assert "maxmemory-policy is allkeys-lru" in lines
    assert "appendfsync" not in lines
    assert "maxmemory is 0" not in lines


def test_the_settings_of_a_cluster_are_told_by_server(connect: Connect, cluster_url: str) -> None:
    lines = promises(connect(cluster_url, 5))
    assert len(lines) == len(set(lines)) == 9


# -- addresses that lead elsewhere -----------------------------------------------------------------


def test_passwords_of_any_characters_are_used_and_not_shown(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path, options={"requirepass": SECRET}) as server:
        escaped = SECRET.replace("%", "%25")
        open_and_use(server.url.replace("unix://", f"unix://:{escaped}@"))
        for url in (server.url, server.url.replace("unix://", f"unix://:{escaped}x@")):
            with refused(StoreUnavailableError, "give the right user and password"):
                open_and_use(url)


def test_servers_by_tls(redis_url: str, tmp_path: Path) -> None:
    files = certificate(tmp_path)
    behave = in_tls(*files, redis_url.removeprefix("unix://"))
    with false_server(behave) as port:
        for host in ("localhost", "127.0.0.1"):
            open_and_use(f"rediss://{host}:{port}?ssl_ca_certs={files[0]}")
        open_and_use(f"rediss://localhost:{port}?ssl_cert_reqs=none")
        for options, days in ((f"ssl_ca_certs={files[0]}", 2), ("ssl_cert_reqs=none", math.inf)):
            checked = Connection(f"rediss://localhost:{port}?{options}", 5)
            assert checked.certificate_expires() == pytest.approx(time.time() + 86_400 * days, abs=3600)
            checked.close()
        with refused(StoreUnavailableError, "certificate is not trusted.*ssl_ca_certs=FILE"):
            open_and_use(f"rediss://:{SECRET}@localhost:{port}")
        with refused(StoreUnavailableError, "use rediss://"):
            open_and_use(f"redis://:{SECRET}@localhost:{port}")
        for option in (
            "ssl_ca_certs=/nowhere",
            "ssl_certfile=/nowhere",
            f"ssl_certfile={files[0]}&ssl_keyfile={files[0]}",
        ):
            with refused(TaxohashError, "of the store address cannot be used: give"):
                open_and_use(f"rediss://localhost:{port}?{option}")


def test_tls_to_a_plain_port_ends_in_time_and_says_so(
    connect: Connect, tmp_path: Path, free_port: int
) -> None:
    with (
        EmbeddedServer(tmp_path, port=free_port),
        refused(StoreUnavailableError, "no TLS came about.*use redis://"),
    ):
        connect(f"rediss://:{SECRET}@127.0.0.1:{free_port}", 1)


@pytest.mark.parametrize(
    ("behave", "message"),
    [
        (echoing, "does not greet as Redis does"),
        (answering(b"HTTP/1.1 400 Bad Request\r\n"), "none of Redis's protocol"),
        (answering(b"+OK\r\n"), "does not greet"),
        (answering(b""), "no answer came in time when it was greeted.*use rediss:// if it is a TLS port"),
        (lambda _: None, "closed the connection when it was greeted|when it was greeted"),
        (answering(b"\x15\x03\x03\x00\x02\x02\x46"), "answers in TLS.*use rediss://"),
        (answering(b"-ERR unknown command 'HELLO', args 's3cr[e#t]%@'\r\n"), "use Redis 7.0 or newer"),
        (answering(b"-ERR what is s3cr[e#t]%@\r\n"), "see the log of the server"),
        (answering(b"-DENIED Redis is running in protected mode\r\n"), "protected-mode no"),
        (answering(b"-ERR max number of clients reached\r\n"), "maxclients"),
        (answering(GREETING.replace(b"$10\r\nstandalone", b"$8\r\nsentinel")), "is a sentinel"),
        (answering(GREETING, b"$5\r\nabcdefgh"), "does not answer as it should"),
        (answering(GREETING, b"*2\r\n:1\r\n"), "no answer came in time"),
        (answering(GREETING, b"-MOVED everywhere\r\n"), "redirects to nowhere"),
        (
            answering(GREETING, b"-LOADING Redis is loading\r\n"),
            "does not answer as it should|reads its data",
        ),
    ],
)
def test_what_is_no_server_is_told_in_one_line(
    connect: Connect, behave: Callable[[socket.socket], None], message: str
) -> None:
    with false_server(behave) as port, refused(StoreUnavailableError, message):
        connection = connect(f"redis://:{SECRET.replace('%', '%25')}@127.0.0.1:{port}", 0.5)
        connection.ping()


@pytest.mark.parametrize(
    "passing",
    [
        b"-LOADING Redis is loading the dataset in memory",
        b"-MASTERDOWN Link with MASTER is down",
        b"-CLUSTERDOWN The cluster is down",
        b"-TRYAGAIN Multiple keys request during rehashing of slot",
        b"-NOREPLICAS Not enough good replicas to write.",
        b"-BUSY Redis is busy running a script.",
    ],
)
def test_what_passes_is_waited_for(passing: bytes, connect: Connect) -> None:
    with false_server(answering(GREETING, passing + b"\r\n", passing + b"\r\n", b":7\r\n")) as port:
        connection = connect(f"redis://127.0.0.1:{port}")
        assert connection.call(counted(keys_of("x"))) == 7
        connection.close()


def test_a_server_that_drips_costs_no_more_than_the_timeout(connect: Connect) -> None:
    def drip(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(GREETING)
        connection.recv(1 << 16)
        connection.sendall(b"$1000000\r\n")
        while True:
            time.sleep(0.05)
            connection.sendall(b"x")

    with false_server(drip) as port, refused(StoreUnavailableError, "in time"):
        connect(f"redis://127.0.0.1:{port}", 0.5).ping()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "redis://:{s}@no-such-host.invalid",
            "host name 'no-such-host.invalid' is not (known|found in time)",
        ),
        ("redis://:{s}@" + "a" * 70, "is not known"),
        ("redis://:{s}@127.0.0.1:1", "start it, or correct the address"),
        ("unix://:{s}@{t}/nowhere.sock", "No such file"),
        ("unix://:{s}@{t}", "start it, or correct the address"),
        ("unix://:{s}@{t}/file", "start it, or correct the address"),
        ("unix://:{s}@{t}/" + "a" * 200, "too long"),
    ],
)
def test_addresses_where_nobody_is(connect: Connect, address: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with refused(StoreUnavailableError, message):
        connect(address.format(s=SECRET.replace("%", "%25"), t=tmp_path), 2)


def test_a_database_is_chosen_where_there_is_one(redis_url: str, cluster_url: str) -> None:
    open_and_use(f"{redis_url}?db=3")
    with refused(StoreUnavailableError, "no such database"):
        open_and_use(f"{redis_url}?db=99999")
    with refused(StoreUnavailableError, "a cluster has database 0 only"):
        open_and_use(f"{cluster_url}/1")


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "5", None, True])
def test_a_timeout_that_is_none_is_refused(connect: Connect, timeout: Any, redis_url: str) -> None:
    with refused(TaxohashError, "timeout of the store"):
        connect(redis_url, timeout)
