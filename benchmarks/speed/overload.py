"""Goodput of a running service under more load than it can take.

    python -m benchmarks.speed.overload PICTURE [--url http://127.0.0.1:3000] [--name after]

Two kinds of clients ask: as many connections as said, each with another search the moment it has an answer, whatever it
says (closed loop); and searches that are due at fixed times, whatever became of those before (open loop), at multiples of
the best goodput of the closed loop. The load comes from this process, which shares the cores with the service. Rows go to
results/overload.json, the table to results/overload.md.
"""

import asyncio
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

import numpy as np
import typer
import uvloop

from benchmarks.common.command import numbers, start
from benchmarks.common.rows import Row, read_rows, write_rows
from benchmarks.common.tables import publish, table
from taxohash.errors import TaxohashError
from taxohash.runtime.provenance import revision

RESULTS = Path(__file__).parents[1] / "results"
DEADLINE = 30.0  # seconds that a client waits
MOST = 4000  # connections of the open loop


@dataclass
class Tally:
    """What came back while it counted: answers by status, and seconds of each, from when it was due.

    Attributes:
        connections: all that were made.
    """

    until: float
    connections: "list[Connection]" = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: dict[int, list[float]] = field(default_factory=dict)

    def count(self, status: int, due: float) -> None:
        if (now := time.monotonic()) < self.until:
            self.statuses[status] += 1
            self.seconds.setdefault(status, []).append(now - due)


class Connection(asyncio.Protocol):
    """One request at a time, its answer looked at no more than is needed: this client shares the cores with the service."""

    def __init__(self, request: bytes, tally: Tally, ended: Callable[["Connection", int], None]) -> None:
        tally.connections.append(self)
        self.due = 0.0
        self.closed = False
        self._request = request
        self._ended = ended
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # that of uvloop is none by its class

    def ask(self, due: float) -> None:
        assert self._transport
        self.due, self._received = due, b""
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or (due := self.due) == 0.0:
            return
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) >= length:
            if b"connection: close" in lower:
                self.closed = True
            self.due, status = 0.0, int(head[9:12])
            self._done(status, due)

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed = True
        if self.due:
            self._done(0, self.due)

    def leave(self) -> None:
        """Close it at once."""
        if self._transport:
            self._transport.abort()

    def _done(self, status: int, due: float) -> None:
        self.due = due
        self._ended(self, status)
        if self.closed and self._transport:
            self._transport.close()


async def closed_loop(address: tuple[str, int], request: bytes, connections: int, tally: Tally) -> None:
    """Connections that ask again and again until the tally ends."""
    loop = asyncio.get_running_loop()

    async def connect() -> None:
        try:
            _, made = await loop.create_connection(lambda: Connection(request, tally, ended), *address)
        except OSError:
            tally.count(0, time.monotonic())
            await asyncio.sleep(0.05)
            again()
            return
        made.ask(time.monotonic())

    def again() -> None:
        if time.monotonic() < tally.until:
            task = loop.create_task(connect())
            opening.add(task)
            task.add_done_callback(opening.discard)

    def ended(connection: Connection, status: int) -> None:
        tally.count(status, connection.due)
        connection.due = 0.0
        if connection.closed:
            again()
        elif time.monotonic() < tally.until:
            connection.ask(time.monotonic())

    opening: set[asyncio.Task[None]] = set()
    for _ in range(connections):
        again()
    await asyncio.sleep(tally.until - time.monotonic())


async def open_loop(address: tuple[str, int], request: bytes, rate: float, tally: Tally) -> None:
    """Searches at a fixed rate until the tally ends, on connections that are kept."""
    loop = asyncio.get_running_loop()
    idle: list[Connection] = []
    opening: set[asyncio.Task[None]] = set()
    count = 0

    def ended(connection: Connection, status: int) -> None:
        nonlocal count
        tally.count(status, connection.due)
        connection.due = 0.0
        if connection.closed:
            count -= 1
        else:
            idle.append(connection)

    async def connect(due: float) -> None:
        nonlocal count
        try:
            _, made = await loop.create_connection(lambda: Connection(request, tally, ended), *address)
        except OSError:
            count -= 1
            tally.count(0, due)
            return
        made.ask(due)

    begun = time.monotonic()
    sent = 0
    while (now := time.monotonic()) < tally.until:
        while begun + sent / rate <= now:
            due, sent = begun + sent / rate, sent + 1
            while idle and idle[-1].closed:
                idle.pop()
            if idle:
                idle.pop().ask(due)
            elif count < MOST:
                count += 1
                task = loop.create_task(connect(due))
                opening.add(task)
                task.add_done_callback(opening.discard)
            else:
                tally.count(0, due)
        await asyncio.sleep(0.001)


def measure(work: Callable[[Tally], Coroutine[Any, Any, None]], seconds: float) -> Row:
    """Rates of answers by status, and milliseconds of those that got 200 and 429."""

    async def run() -> Tally:
        tally = Tally(time.monotonic() + seconds)
        await work(tally)
        tally.until = 0.0  # its timer may be a millisecond early, and what is left now is no answer
        for connection in tally.connections:
            connection.leave()
        await asyncio.sleep(0.05)  # what is closed is told
        return tally

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        tally = runner.run(run())
    good = 1e3 * np.array(tally.seconds.get(200, [np.nan]))
    refused = 1e3 * np.array(tally.seconds.get(429, [np.nan]))
    return {
        "goodput": round(tally.statuses[200] / seconds, 1),
        "p50_ms": _rounded(np.percentile(good, 50)),
        "p99_ms": _rounded(np.percentile(good, 99)),
        "refused_p50_ms": _rounded(np.percentile(refused, 50)),
        "answers": {
            str(status or "none"): round(n / seconds, 1) for status, n in sorted(tally.statuses.items())
        },
    }


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 2)


def form(picture: bytes, k: int) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a search."""
    boundary = uuid.uuid4().hex
    parts = [f'name="k"\r\n\r\n{k}'.encode()]
    parts.append(b'name="image"; filename="picture"\r\n\r\n' + picture)
    body = b"".join(
        b"--%s\r\nContent-Disposition: form-data; %s\r\n" % (boundary.encode(), part) for part in parts
    )
    return body + b"--%s--\r\n" % boundary.encode(), {
        "Content-Type": f"multipart/form-data; boundary={boundary}"
    }


def head(picture: bytes, k: int, address: tuple[str, int]) -> bytes:
    """A search as it goes over the wire."""
    body, headers = form(picture, k)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Host: {address[0]}", f"Content-Length: {len(body)}"]
    return "\r\n".join(["POST /v1/search HTTP/1.1", *lines, "", ""]).encode() + body


def main(
    picture: Annotated[Path, typer.Argument(help="image file", exists=True, dir_okay=False)],
    url: Annotated[str, typer.Option(help="address of the service")] = "http://127.0.0.1:3000",
    name: Annotated[str, typer.Option(help="of these rows; those of the same name make way")] = "measured",
    seconds: Annotated[float, typer.Option(help="of each measurement")] = 8.0,
    base: Annotated[int, typer.Option(help="connections at which the service is full")] = 32,
    factors: Annotated[str, typer.Option(help="of the connections, and of the rate")] = "1,2,4,8,16",
    k: Annotated[int, typer.Option(help="number of answers")] = 10,
    results: Annotated[Path, typer.Option(help="folder of the results")] = RESULTS,
) -> None:
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    request = head(picture.read_bytes(), k, address)
    made_by: Row = {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "picture_bytes": len(request),
    }
    made_by["commit"] = revision()["commit"]
    rows: list[Row] = []
    for connections in [1, *(base * factor for factor in numbers(factors))]:
        found = measure(lambda tally, n=connections: closed_loop(address, request, n, tally), seconds)  # type: ignore[misc]
        rows.append({"name": name, "loop": "closed", "offered": connections} | found | made_by)
        print(rows[-1]["offered"], found, flush=True)
    best = max(row["goodput"] for row in rows)
    if not best:
        raise TaxohashError(f"{url} answers no search: start the service there")
    for factor in numbers(factors):
        rate = round(best * factor, 1)
        found = measure(lambda tally, r=rate: open_loop(address, request, r, tally), seconds)  # type: ignore[misc]
        rows.append({"name": name, "loop": "open", "offered": rate} | found | made_by)
        print(rows[-1]["offered"], found, flush=True)
    kept = [row for row in read_rows(results / "overload.json") if row["name"] != name]
    write_rows(results / "overload.json", [*kept, *rows])
    publish(results / "overload.md", lines([*kept, *rows]))


def lines(rows: list[Row]) -> list[str]:
    """The table of all rows."""
    shown = [
        [
            row["name"],
            f"{row['offered']} connections" if row["loop"] == "closed" else f"{row['offered']:g} searches/s",
            f"{row['goodput']:g}",
            f"{row['goodput'] / max(other['goodput'] for other in rows if other['name'] == row['name']):.0%}",
            f"{row['p50_ms']}",
            f"{row['p99_ms']}",
            ", ".join(f"{status}: {rate:g}" for status, rate in row["answers"].items() if status != "200"),
        ]
        for row in rows
    ]
    columns = ["code", "offered", "200/s", "of the best", "p50, ms", "p99, ms", "others, 1/s"]
    return ["# Under more load than there is room for", "", "`python -m benchmarks.speed.overload PICTURE`", "",
            "Milliseconds are those of searches that got 200. Client and service share the cores.", "", *table(columns, shown)]  # fmt: skip


if __name__ == "__main__":
    start(main)
