"""The people whom runs and Alertmanager tell: a webhook that keeps what it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class People:
    """Who are told.

    Attributes:
        told: what was posted, oldest first.
    """

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.url = ""

    @property
    def headlines(self) -> list[str]:
        """What each was about."""
        return [_headline(told) for told in self.told]

    def of_run(self, run: str) -> str:
        """What they were told of a run that has ended; empty where nothing."""
        return next(
            (told["text"] for told in reversed(self.told) if told.get("outcome", {}).get("run") == run), ""
        )


@contextmanager
def people() -> Iterator[People]:
    """They listen on loopback."""
    own = People()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            own.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="people")
        thread.start()
        own.url = f"http://127.0.0.1:{server.server_address[1]}/"
        try:
            yield own
        finally:
            server.shutdown()
            thread.join()


def _headline(told: dict[str, Any]) -> str:
    """Of a run, of an alert as Alertmanager tells Slack, or of the trigger."""
    if outcome := told.get("outcome"):
        return f"{outcome['pipeline']} {outcome['verdict']}"
    if parts := told.get("attachments"):
        return " ".join(part["title"] for part in parts)
    return str(told.get("text", "")).split(": Taxohash")[0]
