"""Requests at a fixed rate from within the node's network: `python -m tests.cluster.client` reads from its standard input what to ask, and
writes a line for each answer."""

import asyncio
import base64
import json
import signal
import sys
import time
from typing import Any
from urllib.parse import quote

from tests.attack.wire import Client, address_of, run

DEADLINE = 10.0  # seconds that a request waits for its answer


async def ask(url: str, key: str, rate: float, queries: list[dict[str, str]], once: bool) -> None:
    """Ask in turn, whatever becomes of those before, once or until SIGTERM; a picture comes by a new connection, all else by kept ones."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    fresh, kept = (Client(address_of(url), DEADLINE, keep=keep) for keep in (False, True))

    async def one(number: int, due: float) -> None:
        query, at = queries[number], time.time()
        answer = await (fresh if "picture" in query else kept).ask(_request(key, query), due)
        line = {
            "query": number,
            "outcome": answer.outcome,
            "at": at,
            "seconds": round(answer.seconds, 4),
            "again": "retry-after" in answer.headers,
            "body": answer.body.decode(errors="replace"),
        }
        print(json.dumps(line), flush=True)

    begun, number = time.monotonic(), 0
    async with asyncio.TaskGroup() as tasks:
        while not (ended.is_set() or (once and number == len(queries))):
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.create_task(one(number % len(queries), due))
            number += 1
    kept.close()


def _request(key: str, query: dict[str, str]) -> bytes:
    kind, body = "application/json", b""
    match query:
        case {"picture": picture}:
            head, kind, body = "POST /v1/search?k=5", "image/png", base64.b64decode(picture)
        case {"put": name, **own}:
            head, body = f"PUT /v1/item?id={quote(name, safe='')}", json.dumps(own).encode()
        case {"get": name}:
            head = f"GET /v1/item?id={quote(name, safe='')}"
        case _:
            head, body = "POST /v1/search", json.dumps({**query, "k": 5}).encode()
    fields = f"Host: retrieval\r\nAuthorization: Bearer {key}\r\n"
    if body:
        fields += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head} HTTP/1.1\r\n{fields}\r\n".encode() + body


def main() -> int:
    told: dict[str, Any] = json.load(sys.stdin)
    run(lambda: ask(**told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
