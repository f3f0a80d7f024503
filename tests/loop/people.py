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
        """The first line of each: of runs, and of alerts in the form that Slack takes."""
        texts = [
            told.get("text") or " ".join(part["title"] for part in told.get("attachments", ()))
            for told in self.told
        ]
        return [text.splitlines()[0] for text in texts if text]

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
