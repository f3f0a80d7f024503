"""Those who use the service: most search, some send nonsense, one puts and deletes an item."""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import httpx

SECONDS = 30.0  # that a request waits for its answer


class People:
    """Searches by several threads, at a rate that goes up and down; a context manager.

    Attributes:
        answered: searches that were.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], pictures: Sequence[bytes], rate: float, threads: int = 4
    ) -> None:
        """
        Args:
            headers: with the key.
            pictures: searched for in turn, until `show` gives others.
            rate: searches a second, on average.
        """
        self.answered = 0
        self.url, self.headers = url, headers
        self._pictures, self._rate = pictures, rate
        self._numbers = itertools.count()
        self._ended = threading.Event()
        jobs = [self._search] * threads + [self._blunder, self._edit]
        self._threads = [threading.Thread(target=self._again, args=(job,), daemon=True) for job in jobs]

    def show(self, pictures: Sequence[bytes]) -> None:
        """Search for these from now on."""
        self._pictures = pictures

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(SECONDS)

    def _again(self, job: Callable[[httpx.Client], float]) -> None:
        with httpx.Client(base_url=self.url, headers=self.headers, timeout=SECONDS) as client:
            rest = 0.0
            while not self._ended.wait(rest):
                with contextlib.suppress(httpx.HTTPError):
                    rest = job(client)

    def _search(self, client: httpx.Client) -> float:
        number = next(self._numbers)
        picture = self._pictures[number % len(self._pictures)]
        begun = time.monotonic()
        answer = client.post("/v1/search", files={"image": ("a.png", picture)}, data={"k": "10"})
        self.answered += answer.status_code == 200
        busier = 1.0 + 0.6 * ((number // 200) % 3 - 1)
        searching = len(self._threads) - 2
        return max(0.0, searching / (self._rate * busier) - (time.monotonic() - begun))

    def _blunder(self, client: httpx.Client) -> float:
        """What should not be sent."""
        number = next(self._numbers)
        picture = self._pictures[0]
        client.post("/v1/search", files={"image": ("a.png", b"no picture")})
        client.post("/v1/search", files={"image": ("a.png", picture)}, data={"k": "many"})
        client.get("/nowhere")
        httpx.post(f"{self.url}/v1/search", files={"image": ("a.png", picture)}, timeout=SECONDS)  # no key
        if number % 20 == 0:
            self._mumble(picture)
        return 1.5

    def _mumble(self, picture: bytes) -> None:
        """No HTTP, and a body that takes its time."""
        host, port = self.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=SECONDS) as wire:
            wire.sendall(b"hello?\r\n\r\n")
            wire.recv(1024)
        with socket.create_connection((host, int(port)), timeout=SECONDS) as wire:
            key = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
            wire.sendall(
                f"POST /v1/search HTTP/1.1\r\nHost: {host}\r\n{key}Content-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
            )
            for place in range(0, len(picture), 64):
                wire.sendall(picture[place : place + 64])
                self._ended.wait(0.15)
            wire.recv(1024)

    def _edit(self, client: httpx.Client) -> float:
        """An item comes and goes."""
        number = next(self._numbers)
        path = f"/v1/items/visitor-{number}"
        client.put(path, files={"image": ("a.png", self._pictures[number % len(self._pictures)])})
        if number % 2:
            client.delete(path)
        return 1.0
