"""What clients send, and what they are answered: by a real server, over real connections."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from starlette.types import Receive, Scope, Send

from services.retrieval.middleware.headers import HEADERS
from services.retrieval.server import heads
from services.retrieval.settings import Door
from tests.support.own_server import GENERATION, GET, Running, answer, rest, running
from tests.support.toy_application import create

HOST = b"Host: x\r\n"
POST = b"POST /echo HTTP/1.1\r\n" + HOST
CLOSE = b"Connection: close\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(create(), Door()) as here:
        yield here


@pytest.fixture(scope="module")
def hasty() -> Iterator[Running]:
    """A server that waits for nobody."""
    with running(create(), Door(header_seconds=0.5, keepalive_seconds=0.5)) as here:
        yield here


def status(received: bytes) -> int:
    return int(received.split(b" ", 2)[1])


def assert_problem(received: bytes, expected: int) -> None:
    """One whole answer in the one form of every error, after which the connection is closed."""
    head, _, body = received.partition(b"\r\n\r\n")
    told = json.loads(body)
    lines = dict(re.findall(r"^([^:\r]+): ([^\r]*)\r?$", head.decode("latin-1"), re.MULTILINE))
    headers = {name.lower(): value for name, value in lines.items()}
    assert status(received) == told["status"] == expected
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert told["type"].startswith("urn:taxohash:")
    assert told["detail"]
    assert told["request_id"] == headers["x-request-id"]
    assert headers["x-generation"] == GENERATION
    assert "date" in headers
    for name, value in HEADERS.items():
        assert headers[name.lower()] == value


# -- what is no request ------------------------------------------------------------------------------------------------

MALFORMED: dict[str, tuple[bytes, int]] = {
    "nonsense": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "method unknown": (b"FOO / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "method in lower case": (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "NUL in path": (b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "bytes in path": (b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no UTF-8 in path": (b"GET /%ff HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "half a surrogate in path": (b"GET /%ed%a0%80 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "space in path": (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "target that is no path": (b"GET x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "port that is none": (b"GET http://h:99999/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "NUL in header": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n", 400),
    "line break in header": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n", 400),
    "folded header": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", 400),
    "bytes in name of header": (b"GET / HTTP/1.1\r\n" + HOST + b"X\xe4: a\r\n\r\n", 400),
    "space before colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "no colon": (b"GET / HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n", 400),
    "line feeds alone": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 505),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "RTSP": (b"DESCRIBE / RTSP/1.0\r\n\r\n", 501),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "length twice": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    "lengths that differ": (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
    "list of lengths": (POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    "length with a sign": (POST + b"Content-Length: +3\r\n\r\nabc", 400),
    "negative length": (POST + b"Content-Length: -3\r\n\r\nabc", 400),
    "length without end": (POST + b"Content-Length: %s\r\n\r\n" % (b"9" * 30), 400),
    "empty length": (POST + b"Content-Length: \r\n\r\n", 400),
    "length and chunks": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
    "chunks twice": (POST + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n", 400),
    "gzip": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "coding unknown": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "chunks not last": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    "chunks in HTTP/1.0": (b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "size of a chunk is none": (POST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    "size of a chunk is too large": (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 20 + b"\r\n", 400),
    "chunk too long": (POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
    "chunks with line feeds alone": (POST + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n", 400),
    "target too long": (b"GET /" + b"a" * heads.MAX_TARGET_BYTES + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "target without end": (b"GET /" + b"a" * 100_000, 414),
    "header too long": (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * heads.MAX_HEAD_BYTES + b"\r\n\r\n", 431),
    "header without end": (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 100_000, 431),
    "name of a header without end": (b"GET / HTTP/1.1\r\n" + HOST + b"a" * 100_000, 431),
    "headers without end": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 1000, 431),
    "too many headers": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * heads.MAX_FIELDS + b"\r\n", 431),
    "extension without end": (POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 100_000, 400),
    "trailers without end": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: a\r\n" * 9000, 431),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_request_is_told_in_the_one_form_and_the_connection_ends(
    server: Running, name: str
) -> None:
    sent, expected = MALFORMED[name]
    assert_problem(server.ask(sent), expected)


@pytest.mark.parametrize("name", MALFORMED)
def test_it_is_the_same_byte_by_byte_and_after_another_request(server: Running, name: str) -> None:
    sent, expected = MALFORMED[name]
    with server.connect() as connection:
        connection.sendall(GET)
        assert status(answer(connection)) == 200
        for start in range(min(len(sent), 300)):
            try:
                connection.sendall(sent[start : start + 1])
            except (BrokenPipeError, ConnectionResetError):
                break
        else:
            connection.sendall(sent[300:])
        assert_problem(rest(connection), expected)


def test_what_is_within_the_bounds_is_served(server: Running) -> None:
    target = b"/" + b"a" * (heads.MAX_TARGET_BYTES - 1)
    fields = b"".join(b"X-%d: a\r\n" % i for i in range(heads.MAX_FIELDS - 2))
    assert status(server.ask(b"GET %s HTTP/1.1\r\n" % target + HOST + CLOSE + fields + b"\r\n")) == 200
    head = b"GET / HTTP/1.1\r\n" + HOST + CLOSE
    room = heads.MAX_HEAD_BYTES - len(head + b"X: \r\n") + len(b"GET  HTTP/1.1\r\n")
    assert status(server.ask(head + b"X: " + b"a" * room + b"\r\n\r\n")) == 200
    assert_problem(server.ask(head + b"X: " + b"a" * (room + 1) + b"\r\n\r\n"), 431)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"GET http://h/p?q HTTP/1.1\r\n", b"('GET', '/p', 'q', [])"),
        (b"GET http://h HTTP/1.1\r\n", b"('GET', '/', '', [])"),
        (b"GET http://h?q HTTP/1.1\r\n", b"('GET', '/', 'q', [])"),
        (b"GET /%C3%A4/%00 HTTP/1.1\r\n", "('GET', '/ä/\\x00', '', [])".encode()),
        (b"GET /a#b HTTP/1.1\r\n", b"('GET', '/a', '', [])"),
        (b"GET / HTTP/1.1\r\nX-A: \xe4\xff\r\n", b"('GET', '/', '', ['x-a'])"),
    ],
)
def test_odd_requests_are_requests(server: Running, sent: bytes, told: bytes) -> None:
    assert server.ask(sent + HOST + CLOSE + b"\r\n").endswith(b"\r\n\r\n" + told)


def test_http_1_0_is_answered_and_closed(server: Running) -> None:
    received = server.ask(b"GET /x HTTP/1.0\r\n\r\n")
    assert status(received) == 200
    assert b"connection: close" in received


def test_what_nothing_answers_to_is_for_the_application_to_say(server: Running) -> None:
    for method in (b"TRACE", b"OPTIONS", b"QUERY"):
        assert status(server.ask(method + b" /x HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")) == 405


def test_a_refusal_has_the_id_of_its_request() -> None:
    with running(create(), Door(drain_seconds=0.1)) as own, own.connect() as connection:
        connection.sendall(b"GET /slow?seconds=60 HTTP/1.1\r\nX-Request-ID: mine\r\n" + HOST + b"\r\n")
        until(lambda: own.stages() == {"ANSWERING": 1})
        own.end()
        received = rest(connection)
    assert_problem(received, 503)
    assert b"x-request-id: mine" in received


def test_trailers_are_no_headers(server: Running) -> None:
    """A client must not say who it is after we have asked."""
    body = b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Late: a\r\n\r\n"
    received = server.ask(b"POST /x HTTP/1.1\r\n" + HOST + CLOSE + body)
    assert received.endswith(b"('POST', '/x', '', [])")


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
def test_other_protocols_are_not_spoken(server: Running, protocol: bytes) -> None:
    received = server.ask(
        b"GET /x HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: %s\r\n\r\n" % protocol
    )
    assert status(received) == 200
    assert b"connection: close" in received


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 300000\r\n\r\n" + b"x" * 300_000,
     b"Transfer-Encoding: chunked\r\n\r\n" + b"493E0\r\n" + b"x" * 300_000 + b"\r\n0\r\n\r\n"],
    ids=["length", "chunks"],
)  # fmt: skip
def test_a_body_is_read_where_another_protocol_is_asked_for(server: Running, body: bytes) -> None:
    """Java's client asks for HTTP/2 in each request, bodies and all; so does curl --http2."""
    received = server.ask(POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + body + GET)
    assert received.count(b"HTTP/1.1 200 OK") == 1
    assert received.endswith(b"\r\n\r\n300000")


# -- one after another -------------------------------------------------------------------------------------------------


def test_requests_are_answered_in_their_order(server: Running) -> None:
    first = b"GET /slow?seconds=0.2 HTTP/1.1\r\n" + HOST + b"\r\n"
    last = b"GET /last HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"
    received = server.ask(first + GET + last)
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert received.index(b"slow") < received.index(b"'/x'") < received.index(b"'/last'")


def test_a_malformed_one_waits_for_its_turn(server: Running) -> None:
    slow = b"GET /slow?seconds=0.2 HTTP/1.1\r\n" + HOST + b"\r\n"
    received = server.ask(slow + GET + b"nonsense\r\n\r\n" + GET)
    first, second, third = received.split(b"HTTP/1.1 ")[1:]
    assert (first[:3], second[:3]) == (b"200", b"200")
    assert_problem(b"HTTP/1.1 " + third, 400)


def test_a_malformed_body_of_one_that_waits_is_told_in_its_turn(server: Running) -> None:
    slow = b"GET /slow?seconds=0.2 HTTP/1.1\r\n" + HOST + b"\r\n"
    received = server.ask(slow, POST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n")
    first, second = received.split(b"HTTP/1.1 ")[1:]
    assert first[:3] == b"200"
    assert_problem(b"HTTP/1.1 " + second, 400)


def test_nobody_may_let_very_many_wait(server: Running) -> None:
    slow = b"GET /slow?seconds=0.2 HTTP/1.1\r\n" + HOST + b"\r\n"
    received = server.ask(slow + GET * 1000)
    assert received.count(b"HTTP/1.1 200") == 17
    assert_problem(b"HTTP/1.1 " + received.split(b"HTTP/1.1 ")[-1], 429)


def test_a_client_that_sends_no_more_is_answered(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /slow?seconds=0.2 HTTP/1.1\r\n" + HOST + b"\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert rest(connection).endswith(b"slow")


@pytest.mark.parametrize("sent", [b"GET / HT", POST + b"Content-Length: 10\r\n\r\nabc"], ids=["head", "body"])
def test_what_ends_too_early_is_told(server: Running, sent: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert_problem(rest(connection), 400)


# -- bodies ------------------------------------------------------------------------------------------------------------


def test_who_expects_to_be_told_to_continue_is(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n" + CLOSE + b"\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert rest(connection).endswith(b"\r\n\r\n3")


@pytest.mark.parametrize("kind", ["length", "chunks", "expect"])
def test_an_answer_before_the_body_is_read_by_who_sends_it(server: Running, kind: str) -> None:
    """Not lost in a reset, though megabytes are under way that nobody reads."""
    size = 8 * 1024 * 1024
    framing = {
        "length": b"Content-Length: %d\r\n\r\n" % size,
        "chunks": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size,
        "expect": b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % size,
    }
    with server.connect() as connection:
        connection.sendall(b"POST /unread HTTP/1.1\r\n" + HOST + framing[kind])
        if kind != "expect":
            connection.sendall(b"x" * size)
        received = rest(connection)
    assert received.startswith(b"HTTP/1.1 413 ")
    assert received.endswith(b"unread")
    assert b"connection: close" in received


def test_a_small_body_that_nobody_read_ends_nothing(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST /unread HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc")
        assert status(answer(connection)) == 413
        connection.sendall(GET)
        assert status(answer(connection)) == 200


def test_chunks_of_a_byte_are_a_body(server: Running) -> None:
    chunks = b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n"
    assert server.ask(POST + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n" + chunks).endswith(
        b"\r\n\r\n50000"
    )


# -- the application ---------------------------------------------------------------------------------------------------


def test_an_application_that_fails_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
        elif scope["path"] == "/x":
            raise RuntimeError("a bug")

    with running(app, Door()) as server:
        assert_problem(server.ask(GET.replace(b"\r\n\r\n", b"\r\n" + CLOSE + b"\r\n")), 500)
        assert_problem(server.ask(b"GET /silent HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"), 500)
    assert "a bug" in caplog.text
    assert "was not answered" in caplog.text


def test_an_answer_that_breaks_off_is_cut(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    received = server.ask(b"GET /broken HTTP/1.1\r\n" + HOST + b"\r\n")
    assert b"half" in received
    assert not received.endswith(b"0\r\n\r\n")


# -- time --------------------------------------------------------------------------------------------------------------


def test_who_sends_nothing_is_closed(hasty: Running) -> None:
    assert hasty.ask() == b""


def test_headers_have_a_deadline_whatever_drips(hasty: Running) -> None:
    with hasty.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        connection.settimeout(0.05)
        received = b""
        for _ in range(600):
            try:
                connection.sendall(b"X: a\r\n" if not received else b"")
                received = connection.recv(65536)
                break
            except TimeoutError:
                continue
        connection.settimeout(30)
        assert_problem(received + rest(connection), 408)


def test_those_of_a_further_request_have_too(hasty: Running) -> None:
    with hasty.connect() as connection:
        connection.sendall(GET)
        assert status(answer(connection)) == 200
        connection.sendall(b"GET / HT")
        assert_problem(rest(connection), 408)


def test_a_kept_connection_is_closed_in_the_end(hasty: Running) -> None:
    with hasty.connect() as connection:
        connection.sendall(GET)
        assert status(answer(connection)) == 200
        assert rest(connection) == b""


def test_an_answer_may_take_longer(hasty: Running) -> None:
    assert hasty.ask(b"GET /slow?seconds=2 HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n").endswith(b"slow")


def test_who_does_not_read_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.retrieval.server.serving._STALLED_SECONDS", 0.5)
    with running(create(), Door()) as server, server.connect() as connection:
        connection.sendall(b"GET /large?bytes=50000000 HTTP/1.1\r\n" + HOST + b"\r\n")
        until(lambda: server.stages() == {"STALLED": 1})
        until(lambda: server.stages() == {})
        with pytest.raises(ConnectionResetError):
            rest(connection)


@pytest.mark.parametrize(("seconds", "close"), [("_STALLED_SECONDS", b""), ("_ENDING_SECONDS", CLOSE)])
def test_who_reads_slowly_is_not(monkeypatch: pytest.MonkeyPatch, seconds: str, close: bytes) -> None:
    monkeypatch.setattr(f"services.retrieval.server.serving.{seconds}", 0.5)
    with running(create(), Door()) as server, server.connect() as connection:
        connection.sendall(b"GET /large?bytes=50000000 HTTP/1.1\r\n" + HOST + close + b"\r\n")
        until(lambda: server.stages() == {"ENDING" if close else "STALLED": 1})
        received, slowly = 0, time.monotonic() + 2
        while received < 50_000_000 and (piece := connection.recv(1 << 17)):
            received += len(piece)
            time.sleep(0.02 if time.monotonic() < slowly else 0)
    assert received > 50_000_000


def test_who_is_told_to_go_and_does_not_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.retrieval.server.serving._ENDING_SECONDS", 0.5)
    with running(create(), Door()) as server, server.connect() as connection:
        connection.sendall(b"POST /unread HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n\r\n")
        until(lambda: server.stages() == {"ENDING": 1})
        until(lambda: server.stages() == {})


def until(holds: Callable[[], bool]) -> None:
    """Wait for what must come."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.01)


def refuses(server: Running) -> bool:
    """Whether it takes no connections any more."""
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    return False


@contextmanager
def held_up(server: Running, then: Callable[[], object]) -> Iterator[None]:
    """Hold the server up while the block sends something, and do something before it can read that."""
    held, sent = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        assert sent.wait(30)
        then()

    server.loop.call_soon_threadsafe(hold)
    assert held.wait(30)
    yield
    sent.set()


@contextmanager
def client(kind: str) -> Iterator[tuple[Running, socket.socket]]:
    """A client of a server of its own: fresh, kept, or one who has sent half a head, which was read."""
    with running(create(), Door()) as server, server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is sent is there at once
        if kind != "fresh":
            connection.sendall(GET)
            assert status(answer(connection)) == 200
            until(lambda: server.stages() == {"IDLE": 1})
        if kind == "half a head":
            connection.sendall(GET[:9])
        until(lambda: server.stages() == {"IDLE" if kind == "kept" else "HEADERS": 1})
        yield server, connection


@pytest.mark.parametrize("kind", ["fresh", "kept", "half a head"])
@pytest.mark.parametrize("act", ["its time is over", "others need its place"])
def test_who_was_not_read_yet_is_not_the_one_who_is_late(act: str, kind: str) -> None:
    with client(kind) as (server, connection):

        def late() -> None:
            for each in server.server.connections:
                each.late()

        with held_up(server, late if act == "its time is over" else server.server.connections.end_one):
            connection.sendall(GET[9:] if kind == "half a head" else GET)
        assert status(answer(connection)) == 200


def test_it_is_spared_once_a_head() -> None:
    with client("half a head") as (server, connection):
        stages: list[dict[str, int]] = []

        def late_twice() -> None:
            for _ in range(2):
                for each in server.server.connections:
                    each.late()
                stages.append(server.stages())

        with held_up(server, late_twice):
            connection.sendall(GET[9:12])  # who drips has always just sent something
        assert_problem(rest(connection), 408)
        until(lambda: len(stages) == 2)
        assert stages[0] == {"HEADERS": 1}
        assert "HEADERS" not in stages[1]


# -- many --------------------------------------------------------------------------------------------------------------


def test_newcomers_take_the_place_of_who_waits_longest() -> None:
    with running(create(), Door(connections=5)) as server:
        slow = server.connect()
        slow.sendall(b"GET /slow?seconds=3 HTTP/1.1\r\n" + HOST + b"\r\n")
        kept = [server.connect() for _ in range(2)]
        for connection in kept:
            connection.sendall(GET)
            assert status(answer(connection)) == 200
        until(lambda: server.stages() == {"ANSWERING": 1, "IDLE": 2})
        halves = []
        for _ in range(20):
            halves.append(server.connect())
            halves[-1].sendall(b"GET / HT")
            assert status(server.ask(GET.replace(b"\r\n\r\n", b"\r\n" + CLOSE + b"\r\n"))) == 200
        assert len(server.server.connections) <= 5
        assert answer(slow).endswith(b"slow")
        for connection in [slow, *kept, *halves]:
            connection.close()


def test_when_all_are_being_answered_a_newcomer_is_told() -> None:
    with running(create(), Door(connections=2)) as server:
        slow = [server.connect() for _ in range(2)]
        for connection in slow:
            connection.sendall(b"GET /slow?seconds=1 HTTP/1.1\r\n" + HOST + b"\r\n")
        until(lambda: server.stages() == {"ANSWERING": 2})
        with server.connect() as newcomer:
            received = rest(newcomer)
        assert status(received) == 503
        assert b"x-request-id: " in received
        assert b"x-generation: " + GENERATION.encode() in received
        assert b"retry-after: 1" in received
        for connection in slow:
            assert answer(connection).endswith(b"slow")
            connection.close()


# -- the end -----------------------------------------------------------------------------------------------------------


def test_at_the_end_what_is_under_way_and_what_just_comes_is_answered_and_the_rest_is_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.retrieval.server.serving._GRACE_SECONDS", 60.0)  # until this test says so
    with running(create(), Door()) as server:
        kept, probe, late, pipelining, slow, half, silent = (server.connect() for _ in range(7))
        for connection in (kept, probe, late):
            connection.sendall(GET)
            assert status(answer(connection)) == 200
        for connection in (slow, pipelining):
            connection.sendall(b"GET /slow?seconds=3 HTTP/1.1\r\n" + HOST + b"\r\n")
        pipelining.sendall(GET)
        half.sendall(b"GET / HT")
        until(lambda: server.stages() == {"ANSWERING": 2, "IDLE": 3, "HEADERS": 2})
        server.end()
        until(lambda: refuses(server))
        kept.sendall(GET)
        probe.sendall(GET.replace(b"/x", b"/readyz", 1))
        received = rest(kept)
        assert status(received) == 200
        assert b"connection: close" in received
        assert_problem(rest(probe), 503)
        monkeypatch.setattr("services.retrieval.server.serving._GRACE_SECONDS", 0.0)
        until(lambda: server.server._shared.draining)
        late.sendall(GET)
        received = rest(late)
        assert_problem(received, 503)
        assert b"retry-after: 1" in received
        received = rest(slow)
        assert received.endswith(b"slow")
        assert b"connection: close" in received
        first, second = rest(pipelining).split(b"HTTP/1.1 ")[1:]
        assert first.endswith(b"slow")
        assert_problem(b"HTTP/1.1 " + second, 503)
        assert_problem(rest(half), 503)
        assert rest(silent) == b""
        for connection in (kept, probe, late, pipelining, slow, half, silent):
            connection.close()


def test_what_takes_too_long_is_told_to_come_back() -> None:
    with running(create(), Door(drain_seconds=0.5)) as server, server.connect() as connection:
        connection.sendall(b"GET /slow?seconds=60 HTTP/1.1\r\n" + HOST + b"\r\n")
        until(lambda: server.stages() == {"ANSWERING": 1})
        server.end()
        assert_problem(rest(connection), 503)


def test_what_waits_to_be_taken_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.retrieval.server.serving._GRACE_SECONDS", 60.0)
    with running(create(), Door()) as server:
        blocker = server.connect()
        blocker.sendall(b"GET /block?seconds=1 HTTP/1.1\r\n" + HOST + b"\r\n")
        until(lambda: server.stages() == {"ANSWERING": 1})
        server.end()  # nothing happens until the loop goes on
        late = [server.connect() for _ in range(50)]
        for connection in late:
            connection.sendall(GET)
        for connection in late:
            received = rest(connection)
            assert status(received) == 200
            assert b"connection: close" in received
            connection.close()
        assert rest(blocker).endswith(b"blocked")
        blocker.close()


def test_who_makes_way_just_when_it_is_answered_gets_its_answer() -> None:
    made_way: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await create()(scope, receive, send)
        if scope["type"] == "http":  # the answer is whole, and has not left yet
            made_way.append(here.server.connections.end_one())

    with running(app, Door()) as here, here.connect() as connection:
        connection.sendall(GET)
        assert status(answer(connection)) == 200
        assert made_way == [False]
