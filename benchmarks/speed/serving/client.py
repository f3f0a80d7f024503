"""The client: a process of its own, `python -m benchmarks.speed.serving.client`, that asks and times, and does nothing else.

A line of JSON on standard input says whom to ask, what, on how many connections and for how long; a line on standard output
has seconds of each answer that counts. Closed loop: a connection asks again when it has its answer. What goes before the time that counts
warms up; one answer counts in any case. An answer other than 200, or none within DEADLINE, ends it.
"""

import base64
import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

from services.processes import end_with_parent, stop
from taxohash.errors import TaxohashError

DEADLINE = 30.0  # seconds, for one answer
_PIECE = 1 << 16


@dataclass(frozen=True)
class Answered:
    """What a slice of the time brought.

    Attributes:
        seconds: of each answer.
        elapsed: seconds in which they came, from the end of the warming up on.
        asked: requests in all, those that warmed up included.
        last: the last answer.
    """

    seconds: list[float]
    elapsed: float
    asked: int
    last: dict[str, Any]


class Client:
    """A process that asks, see `asking`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(
        self,
        address: tuple[str, int],
        requests: Sequence[bytes],
        connections: int,
        seconds: float,
        warm_up: float = 0.2,
    ) -> Answered:
        """Ask for so many seconds, after those that warm up.

        Args:
            requests: asked in turns, as they go over the wire.

        Raises:
            TaxohashError: an answer other than 200, or none.
        """
        assert self._process.stdin
        assert self._process.stdout
        job = {
            "address": address, "connections": connections, "seconds": seconds, "warm_up": warm_up,
            "requests": [base64.b64encode(one).decode() for one in requests],
        }  # fmt: skip
        with suppress(BrokenPipeError):  # what it has said of its end is read below
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline() or '{"error": "the client ended"}')
        if "error" in told:
            raise TaxohashError(f"{address[0]}:{address[1]}: {told['error']}")
        return Answered(**told)


@contextmanager
def asking() -> Iterator[Client]:
    """A client, while the block lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.speed.serving.client"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=end_with_parent,
    )  # fmt: skip
    try:
        yield Client(process)
    finally:
        assert process.stdin
        with suppress(BrokenPipeError):  # it has ended already
            process.stdin.close()
        stop(process)


class _Connection:
    """One request at a time."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked = 0.0
        self._received = b""

    def ask(self, request: bytes) -> None:
        self._received = b""
        self.asked = time.perf_counter()
        self.socket.sendall(request)

    def read(self) -> bytes | None:
        """The body, once it is there."""
        piece = self.socket.recv(_PIECE)
        if not piece:
            raise OSError("it closed the connection")
        self._received += piece
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return None
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return None
        if not head.startswith(b"HTTP/1.1 200 "):
            raise OSError(
                f"it answered {head[:60].decode(errors='replace')!r} {body[:300].decode(errors='replace')!r}"
            )
        return body


def _answered(
    address: tuple[str, int], requests: list[bytes], connections: int, seconds: float, warm_up: float
) -> dict[str, Any]:
    open_ones = [_Connection(address) for _ in range(connections)]
    by_descriptor = {one.socket.fileno(): one for one in open_ones}
    poll = select.epoll()
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    numbers, spent, last = count(), list[float](), b""
    counts_from = time.perf_counter() + warm_up
    until = counts_from + seconds
    ended = counts_from
    for one in open_ones:
        one.ask(requests[next(numbers) % len(requests)])
    waiting = len(open_ones)
    while waiting:
        ready = poll.poll(DEADLINE)
        if not ready:
            raise OSError(f"no answer within {DEADLINE:g} seconds")
        for descriptor, _ in ready:
            one = by_descriptor[descriptor]
            body = one.read()
            if body is None:
                continue
            now = time.perf_counter()
            if now >= counts_from and (now <= until or not spent):
                spent.append(now - one.asked)
                ended, last = now, body
            if now < until or not spent:
                one.ask(requests[next(numbers) % len(requests)])
            else:
                waiting -= 1
    for one in open_ones:
        one.socket.close()
    poll.close()
    return {
        "seconds": spent,
        "elapsed": ended - counts_from,
        "asked": next(numbers),
        "last": json.loads(last),
    }


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        job["address"] = tuple(job["address"])
        job["requests"] = [base64.b64decode(one) for one in job["requests"]]
        try:
            told = _answered(**job)
        except (OSError, ValueError) as error:
            told = {"error": str(error)}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
