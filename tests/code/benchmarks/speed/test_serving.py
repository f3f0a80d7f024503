"""The client that times the service, against a server that answers in parts; and the page that is made of rows."""

import json
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.speed.serving import made
from benchmarks.speed.serving.client import Client, asking
from benchmarks.speed.serving.indexes import ids_of, number_of, replica_of
from benchmarks.speed.serving.report import as_markdown
from benchmarks.speed.serving.turns import Turns, by_code, ratio, share
from taxohash.errors import TaxohashError

REQUESTS = by_code(np.arange(32, dtype=np.uint8).reshape(4, 8))


def serve(listener: socket.socket, status: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        with connection:
            while received := connection.recv(1 << 16):
                assert received in REQUESTS
                body = json.dumps({"asked": received[-18:-2].decode()}).encode()
                connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body)))
                connection.sendall(body)

    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with asking() as made:
        yield made


def at(status: bytes) -> tuple[socket.socket, tuple[str, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, status), daemon=True).start()
    return listener, listener.getsockname()[:2]


def test_every_connection_asks_again_when_it_has_its_answer(client: Client) -> None:
    listener, address = at(b"200 OK")
    with listener:
        found = client.ask(address, REQUESTS, connections=3, seconds=0.1, warm_up=0.02)
        assert client.ask(address, REQUESTS, connections=1, seconds=0.0, warm_up=0.0).seconds
    assert 0 < len(found.seconds) <= found.asked
    assert found.asked >= 6
    assert min(found.seconds) > 0
    assert found.last["asked"] in [request[-18:-2].decode() for request in REQUESTS]


def test_an_answer_other_than_200_ends_it_in_one_line(client: Client) -> None:
    listener, address = at(b"429 Too Many Requests")
    with listener, pytest.raises(TaxohashError, match=r"it answered 'HTTP/1\.1 429 Too Many Requests"):
        client.ask(address, REQUESTS, 1, 0.1)


def test_ratios_are_of_slices_that_follow_each_other() -> None:
    ours, bare = Turns([2.0, 9.0, 4.0], rate=[80, 10, 100]), Turns([1.0, 3.0, 4.0], rate=[100, 20, 100])
    assert ratio(ours, bare, lambda turns: turns.p50) == [1.0, 2.0]
    assert share(ours, bare) == [1.0, 0.8]
    assert Turns.joined([ours, bare]).p50 == [2.0, 9.0, 4.0, 1.0, 3.0, 4.0]


def test_the_replica_finds_the_items_that_the_codes_are_of() -> None:
    codes = made.codes("uniform", 50)
    found = replica_of(codes).search(codes[37:38], k=1)
    assert found.ids == [ids_of(50)[37]]
    assert number_of(found.ids[0]) == 37


def test_the_page_says_what_is_met_and_what_could_not_be_measured() -> None:
    told = {"p50_ms": [1, 2], "p99_ms": [1, 2], "per_second": [2, 1], "cpu_us": [1, 2]}
    made_by = {"load": 1.0, "command": "c", "commit": "0" * 40, "cpu": "x", "cores": 2}
    beside = {"ours": told, "bare": told, "share": [0.9, 0.7], "p50_ratio": [1.1, 1.3], "p99_by_p50": [2, 6]}
    code = {"measure": "code", "host": "uvicorn", "kind": "uniform", "items": 1000, **beside}
    rows = [
        {**code, "connections": 1},
        {**code, "connections": 16},
        {"measure": "peer", "peer": "pgvector", "items": 10, "missing": "there is none"},
        {
            "measure": "metrics",
            "asked": "code",
            "items": 1000,
            "connections": 16,
            "with": told,
            "without": told,
            "share": [1.1, 0.96],
            "cpu_ratio": [1.0, 1.1],
        },
        {"measure": "scrape", "items": 1000, "ms": [4.0, 60.0], "series": 9, "bytes": 2048},
    ]
    lines = as_markdown([{**row, "made_by": made_by} for row in rows])
    assert "| uniform codes, uvicorn, 1 connections: p50 | 1.3 x bare | 1.1 | 1.3 | yes |" in lines
    assert "| uniform codes, uvicorn, 1 connections: p99 | 5 x p50 | 2 | 6 | **no** |" in lines
    assert (
        "| uniform codes, uvicorn, 16 connections: requests/s | 80% of bare | 0.9 | 0.7 | **no** |" in lines
    )
    assert (
        "| with metrics, by code, 16 connections: requests/s | 97% of without | 1.1 | 0.96 | **no** |"
        in lines
    )
    assert "| a scrape at 1,000 items | 50 ms | 4 | 60 | **no** |" in lines
    assert "By code, CPU with metrics is 1.000 (best) and 1.100 (median) times that without." in lines
    assert "A scrape of 9 series, 2 KiB: 4 ms, 60 ms." in lines
    assert "| pgvector | slower than ours |  |  | not measured: there is none |" in lines
