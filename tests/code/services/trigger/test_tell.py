"""Telling people."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from services.trigger.tell import Teller
from tests.support.waiting import until


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[str]]]:
    """One that refuses the first time."""
    heard: list[str] = []
    refusals = [500]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["content-length"]))
            if not refusals:
                heard.append(json.loads(sent)["text"])
            self.send_response(refusals.pop() if refusals else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/secret", heard
        server.shutdown()


def test_a_sentence_is_told_and_again_where_it_was_not_taken(webhook: tuple[str, list[str]]) -> None:
    address, heard = webhook
    Teller("birds", address).tell("retrain is waiting for data")
    until(lambda: heard)
    assert heard == ["birds: retrain is waiting for data"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/secret", "nonsense"])
def test_where_nobody_hears_it_is_logged_without_the_address(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    Teller("birds", address).tell("x")
    until(lambda: "nobody was told" in caplog.text)
    assert "secret" not in caplog.text


def test_without_an_address_it_is_logged_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    Teller("birds", None).tell("retrain failed")
    assert "retrain failed" in caplog.text
