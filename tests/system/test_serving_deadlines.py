"""The store stands still, dies and comes back, while a real service is asked for thumbnails; uploads that stop half way."""

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from services.codestore import EmbeddedServer
from tests.support.serving import Service, environment, pictures_of, publish, serving
from tests.support.waiting import until

pytestmark = pytest.mark.system

THUMBNAIL = "/v1/items/item 1/thumbnail"
STORE_SECONDS = 8.0  # so long that a busy machine answers all else before
TOGETHER = 41
PROMPT = ("/livez", "/readyz", "/metrics", "/")


@pytest.fixture
def store(tmp_path: Path, generation: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "store") as started:
        publish(started.url, generation)
        yield started


@pytest.fixture
def service(store: EmbeddedServer, generation: Path, tmp_path: Path) -> Iterator[Service]:
    variables = environment(
        store.url,
        tmp_path / "home",
        TAXOHASH_PICTURES=str(pictures_of(generation)),
        TAXOHASH_STORE_SECONDS=str(STORE_SECONDS),
        TAXOHASH_UPLOAD_SECONDS="15",
    )
    with serving(str(generation), variables, tmp_path) as started:
        yield started


@contextmanager
def frozen(store: EmbeddedServer) -> Iterator[None]:
    os.kill(store.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(store.pid, signal.SIGCONT)


def thumbnail(service: Service) -> httpx.Response:
    return httpx.get(service.url + THUMBNAIL, timeout=60)


def threads_of(service: Service) -> int:
    family = [psutil.Process(service.pid), *psutil.Process(service.pid).children(recursive=True)]
    return int(sum(process.num_threads() for process in family))


@pytest.mark.parametrize("connected", [True, False], ids=["connected before", "never connected"])
def test_thumbnails_of_a_frozen_store_end_together_and_hold_nobody_up(
    service: Service, store: EmbeddedServer, connected: bool
) -> None:
    if connected:
        assert thumbnail(service).status_code == 200
    before = threads_of(service)
    with ThreadPoolExecutor(TOGETHER) as pool:
        with frozen(store):
            answers: list[Future[httpx.Response]] = [pool.submit(thumbnail, service) for _ in range(TOGETHER)]
            # They wait for the store, and nothing else does.
            for path in PROMPT * 3:
                assert httpx.get(service.url + path, timeout=60).status_code == 200, path
            assert service.post().status_code == 200
            assert not any(answer.done() for answer in answers)
            told = [answer.result() for answer in answers]
            assert Counter(answer.status_code for answer in told) == {503: TOGETHER}
            for answer in told:
                assert answer.headers["retry-after"]
                assert answer.headers["content-type"] == "application/problem+json"
                assert store.url not in answer.text
            # All had one deadline: one after the other they would have taken ten of it.
            assert max(answer.elapsed.total_seconds() for answer in told) < 3 * STORE_SECONDS
            assert threads_of(service) <= before + 8
        until(lambda: thumbnail(service).status_code == 200)


def test_thumbnails_come_back_with_a_store_that_was_killed(service: Service, store: EmbeddedServer) -> None:
    assert thumbnail(service).status_code == 200
    os.kill(store.pid, signal.SIGKILL)
    until(lambda: not store.running)
    store.stop()
    for _ in range(3):
        answer = thumbnail(service)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:taxohash:unavailable")
        assert service.post().status_code == 200
    store.start()
    until(lambda: thumbnail(service).status_code == 200)


@pytest.mark.parametrize(
    "held_back", [pytest.param(33, marks=pytest.mark.slow), 200, pytest.param(600, marks=pytest.mark.slow)]
)
def test_however_many_uploads_stop_half_way_searches_are_answered(service: Service, held_back: int) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="image"; filename="p"\r\n\r\n' + b"x" * 3000
    head = (
        b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        b"Content-Length: %d\r\n\r\n" % (2 * len(body))
    )
    with ExitStack() as stack:
        wires = [
            stack.enter_context(socket.create_connection(service.address, timeout=60))
            for _ in range(held_back)
        ]
        for wire in wires:
            wire.sendall(head + body)
        for _ in range(10):
            assert service.post().status_code == 200
        statuses = Counter(wire.recv(1 << 16).split(b" ", 2)[1] for wire in wires)
        assert set(statuses) <= {b"408", b"429"}
        assert statuses[b"408"] <= 64 + 10
        until(lambda: service.metric("taxohash_uploads") == 0)
        assert service.metric("taxohash_uploads_bytes") == 0
