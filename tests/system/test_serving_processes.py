"""Supervisor and worker as real processes, which are killed, frozen and told to end."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from tests.support.toy_service import ROOT, SECONDS, Toy, toy_service

pytestmark = pytest.mark.system


def until(holds: Callable[[], bool]) -> None:
    """Wait for what must come."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)


# -- killed and frozen -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unmeasured")
def test_a_killed_supervisor_leaves_nothing(tmp_path: Path) -> None:
    with toy_service(tmp_path) as toy:
        worker = toy.worker
        toy.signal(signal.SIGKILL)
        assert toy.wait() == -signal.SIGKILL
        assert not psutil.wait_procs([worker], timeout=SECONDS)[1]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(toy.address)


@pytest.mark.usefixtures("unmeasured")
def test_a_frozen_worker_ends_with_a_killed_supervisor(tmp_path: Path) -> None:
    with toy_service(tmp_path) as toy:
        worker = toy.worker
        worker.suspend()
        toy.signal(signal.SIGKILL)
        assert not psutil.wait_procs([worker], timeout=SECONDS)[1]


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("killed", marks=pytest.mark.slow),  # what one started ends with it, below
        pytest.param("ended by the application", marks=pytest.mark.slow),  # again and again, below
        "told to end",
    ],
)
def test_another_worker_takes_the_place_of_one_that_ends(tmp_path: Path, how: str) -> None:
    """Connections made meanwhile wait, and are answered."""
    with toy_service(tmp_path) as toy:
        before = int(toy.get("/pid").text)
        if how == "killed":
            os.kill(before, signal.SIGKILL)
        elif how == "told to end":
            told = psutil.Process(before)  # it may be gone at once
            told.terminate()
            told.wait(SECONDS)
        else:
            with pytest.raises(httpx.RemoteProtocolError):
                toy.get("/die")
        after = int(toy.get("/pid").text)
        assert after != before
        assert toy.worker.pid == after
        assert toy.process.poll() is None


def test_what_a_worker_started_ends_with_it(tmp_path: Path) -> None:
    """Even what left its session, and whoever started it."""
    with toy_service(tmp_path) as toy:
        worker = toy.worker
        orphan = psutil.Process(int(toy.get("/orphan").text))
        worker.kill()
        until(lambda: toy.get("/x").status_code == 200)
        assert not psutil.wait_procs([worker, orphan], timeout=SECONDS)[1]
        zombies = [child for child in toy.family if child.status() == psutil.STATUS_ZOMBIE]
        assert not zombies


@pytest.mark.usefixtures("unmeasured")
def test_a_worker_that_dies_again_and_again_is_replaced_again_and_again(tmp_path: Path) -> None:
    with toy_service(tmp_path) as toy:
        pids = set()
        for _ in range(4):
            pids.add(int(toy.get("/pid").text))
            with pytest.raises(httpx.RemoteProtocolError):
                toy.get("/die")
        assert len(pids) == 4
        assert toy.get("/x").status_code == 200
        assert "in 1 seconds" in toy.log.read_text()


@pytest.mark.parametrize("how", [pytest.param("stopped", marks=pytest.mark.slow), "its loop blocked"])
def test_a_worker_that_hangs_is_replaced(tmp_path: Path, how: str) -> None:
    with toy_service(tmp_path) as toy:
        before = int(toy.get("/pid").text)
        if how == "stopped":
            os.kill(before, signal.SIGSTOP)
            assert int(toy.get("/pid").text) != before
        else:
            with pytest.raises(httpx.RemoteProtocolError):
                toy.get("/block?seconds=600")
            assert int(toy.get("/pid").text) != before
        assert "silent" in toy.log.read_text()


@pytest.mark.usefixtures("unmeasured")
def test_one_that_works_hard_is_not(tmp_path: Path) -> None:
    with toy_service(tmp_path) as toy:
        before = int(toy.get("/pid").text)
        for _ in range(5):
            toy.get("/block?seconds=3")
        assert int(toy.get("/pid").text) == before


def test_a_supervisor_that_was_stopped_does_not_take_it_for_silence(tmp_path: Path) -> None:
    with toy_service(tmp_path) as toy:
        before = int(toy.get("/pid").text)
        toy.signal(signal.SIGSTOP)
        os.kill(before, signal.SIGSTOP)
        time.sleep(12)
        toy.signal(signal.SIGCONT)
        time.sleep(0.5)
        os.kill(before, signal.SIGCONT)
        assert int(toy.get("/pid").text) == before


# -- it does not start -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoilt", "status", "told"),
    [
        ("settings", 2, "serve: TOY is 'settings': set it to something else\n"),
        pytest.param("crash", 1, "5 workers ended before they served", marks=pytest.mark.slow),
        ("startup", 1, "5 workers ended before they served"),
    ],
)
def test_what_cannot_start_ends(tmp_path: Path, spoilt: str, status: int, told: str) -> None:
    with toy_service(tmp_path, ready=False, TOY=spoilt) as toy:
        assert toy.wait() == status
        assert told in toy.log.read_text()
        assert status != 2 or toy.log.read_text() == told


def test_it_is_alive_before_it_is_ready(tmp_path: Path) -> None:
    with toy_service(tmp_path, ready=False, TOY_SECONDS="2") as toy:
        assert toy.get("/x").status_code == 200
        assert toy.get("/readyz").status_code == 503
        until(lambda: toy.get("/readyz").status_code == 200)


# -- told to end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        signal.SIGINT,
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_requests_under_way_are_answered_at_the_end_and_others_told_to_come_back(
    tmp_path: Path, number: signal.Signals
) -> None:
    with (
        toy_service(tmp_path) as toy,
        ThreadPoolExecutor(20) as pool,
        httpx.Client(trust_env=False) as soon,
        httpx.Client(trust_env=False) as late,
    ):
        for kept in (soon, late):
            kept.get(f"{toy.url}/x")
        slow = [pool.submit(toy.get, "/slow?seconds=4") for _ in range(20)]
        until(lambda: len(_connections(toy)) >= 22)
        time.sleep(0.3)
        toy.signal(number)
        until(lambda: _refuses(toy))
        answer = soon.get(f"{toy.url}/x")  # within a second, where the machine is not too busy
        assert answer.status_code in (200, 503)
        assert answer.headers["connection"] == "close"
        time.sleep(1.2)
        answer = late.get(f"{toy.url}/x")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["connection"] == "close"
        assert Counter(own.result().text for own in slow) == {"slow": 20}
        assert toy.wait() == 0
        assert "20 requests were under way, 0 of them took too long" in toy.log.read_text()


@pytest.mark.usefixtures("unmeasured")
def test_under_load_every_connection_is_answered_or_refused_at_the_end(tmp_path: Path) -> None:
    with toy_service(tmp_path) as toy:
        told: Counter[str] = Counter()
        begun = threading.Barrier(9)

        def ask() -> None:
            begun.wait()
            while True:
                try:
                    answer = httpx.get(f"{toy.url}/slow?seconds=0.05", timeout=SECONDS, trust_env=False)
                    told[str(answer.status_code)] += 1
                    assert answer.status_code == 200 or "retry-after" in answer.headers
                except httpx.ConnectError:
                    return

        with ThreadPoolExecutor(8) as pool:
            asking = [pool.submit(ask) for _ in range(8)]
            begun.wait()
            until(lambda: told["200"] > 100)
            toy.signal(signal.SIGTERM)
            for future in asking:
                future.result(SECONDS)
        assert toy.wait() == 0
        assert told.keys() <= {"200", "503"}


def test_what_takes_too_long_at_the_end_is_told_to_come_back(tmp_path: Path) -> None:
    with toy_service(tmp_path, TAXOHASH_DRAIN_SECONDS="1") as toy, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(toy.get, "/slow?seconds=600")
        until(lambda: len(_connections(toy)) >= 1)
        time.sleep(0.3)
        toy.signal(signal.SIGTERM)
        assert slow.result(SECONDS).status_code == 503
        assert toy.wait() == 0


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with toy_service(tmp_path, TAXOHASH_DRAIN_SECONDS="600") as toy, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(toy.get, "/slow?seconds=600")
        until(lambda: len(_connections(toy)) >= 1)
        toy.signal(signal.SIGINT)
        until(lambda: _refuses(toy))
        toy.signal(signal.SIGINT)
        assert toy.wait() == 1
        with pytest.raises(httpx.TransportError):
            slow.result(SECONDS)


def test_a_frozen_worker_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    with toy_service(tmp_path, TAXOHASH_DRAIN_SECONDS="1") as toy:
        toy.worker.suspend()
        toy.signal(signal.SIGTERM)
        assert toy.wait() == 1


def _connections(toy: Toy) -> list[object]:
    return [c for c in toy.worker.net_connections("tcp") if c.status == psutil.CONN_ESTABLISHED]


def _refuses(toy: Toy) -> bool:
    try:
        socket.create_connection(toy.address).close()
    except ConnectionRefusedError:
        return True
    return False


# -- very many ---------------------------------------------------------------------------------------------------------


def _answered(toy: Toy, path: str) -> bool:
    try:
        return toy.get(path).status_code == 200
    except httpx.RemoteProtocolError:
        return False


# A process of its own, as it needs more descriptors than the tests may have.
_CROWD = """
import resource, socket, sys, time
host, port, count, half = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "half"
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
crowd = []
for i in range(count):
    crowd.append(socket.create_connection((host, port), timeout=60))
    if half:
        try:
            crowd[-1].sendall(b"GET /x HTTP/1.1\\r\\nHost: x\\r\\n")
        except ConnectionError:
            pass
print("there", flush=True)
sys.stdin.read()
"""


def test_without_a_descriptor_somebody_makes_way(tmp_path: Path) -> None:
    with toy_service(tmp_path, ("prlimit", "--nofile=200:200")) as toy:
        idle = [socket.create_connection(toy.address) for _ in range(20)]
        until(lambda: len(_connections(toy)) >= 20)
        with httpx.Client(trust_env=False, timeout=SECONDS) as client:
            assert client.get(f"{toy.url}/hoard").text == "none is left"
            for _ in range(10):
                assert toy.get("/x").status_code == 200
        for connection in idle:
            connection.close()


@pytest.mark.parametrize("kind", ["half", pytest.param("idle", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "count", [pytest.param(2500, id="some"), pytest.param(10_000, id="all", marks=pytest.mark.slow)]
)
def test_very_many_connections_that_send_no_request_leave_the_others_served(
    tmp_path: Path, kind: str, count: int
) -> None:
    """With 1,024 descriptors."""
    with toy_service(tmp_path, ("prlimit", "--nofile=1024:1024")) as toy:
        asked = [sys.executable, "-c", _CROWD, *map(str, toy.address), str(count), kind]
        with subprocess.Popen(
            asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as crowd:
            assert crowd.stdin is not None
            assert crowd.stdout is not None
            while_they_come = [_answered(toy, "/x") for _ in range(100)]
            assert crowd.stdout.readline() == "there\n"
            # The system queues those whom the worker has not met yet: who is answered now came after all of them.
            until(lambda: _answered(toy, "/livez"))
            assert all(_answered(toy, "/livez") for _ in range(100))
            # A newcomer whose request is late, as of a full queue of the system, may be taken for one of them.
            assert sum(while_they_come) >= 95
            assert len(_connections(toy)) <= 1024 - 256
            crowd.stdin.close()
