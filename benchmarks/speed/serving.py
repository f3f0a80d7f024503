"""Latency of a running service, as one client on one connection sees it.

    python -m benchmarks.speed.serving PICTURE [--url http://127.0.0.1:3000]

Searches are sent one after the other. Prints JSON: milliseconds over all requests after the warm-up, the server's own
share (`took_ms`), and the round trip of the smallest answer there is (`/livez`), which is what HTTP alone costs.
"""

import http.client
import json
import os
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import numpy as np
import typer

from benchmarks.common.command import start
from benchmarks.common.timing import milliseconds, timed
from taxohash.errors import TaxohashError
from taxohash.runtime.provenance import revision

WARM_UP = 50


def measure(work: Callable[[], float], requests: int) -> dict[str, float]:
    """Minimum, median and p99 of the seconds that `work` tells, in milliseconds, and requests a second."""
    for _ in range(WARM_UP):
        work()
    times, elapsed, _ = timed(lambda: [work() for _ in range(requests)])
    found = milliseconds(times) | {"p99_ms": 1e3 * float(np.percentile(times, 99))}
    return {
        **{name: round(value, 3) for name, value in found.items()},
        "requests_per_second": round(requests / elapsed, 1),
    }


def form(picture: bytes, k: int, within: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a search."""
    boundary = uuid.uuid4().hex
    parts = [f'name="k"\r\n\r\n{k}'.encode(), f'name="within"\r\n\r\n{within}'.encode()]
    parts.append(b'name="image"; filename="picture"\r\n\r\n' + picture)
    body = b"".join(
        b"--%s\r\nContent-Disposition: form-data; %s\r\n" % (boundary.encode(), part) for part in parts
    )
    return body + b"--%s--\r\n" % boundary.encode(), {
        "Content-Type": f"multipart/form-data; boundary={boundary}"
    }


def benchmark(url: str, picture: bytes, requests: int, k: int, within: str) -> dict[str, Any]:
    """All figures for one service."""
    address = urlsplit(url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)) as connection:

        def ask(
            method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
        ) -> bytes:
            try:
                connection.request(method, path, body, headers or {})
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                raise TaxohashError(f"{url} does not answer ({error}): start the service there") from None
            if answer.status != 200:
                raise TaxohashError(
                    f"{url}{path} answered {answer.status}: {content.decode(errors='replace')[:300]}"
                )
            return content

        def round_trip(*request: Any) -> Callable[[], float]:
            return lambda: timed(lambda: ask(*request)).wall

        search = ("POST", "/v1/search", *form(picture, k, within))
        generation = json.loads(ask("GET", "/v1/generation"))
        thumbnail = json.loads(ask(*search))["results"][0]["thumbnail"]
        return {
            "benchmark": "serving",
            "codes": generation["codes"],
            "bits": generation["bits"],
            "picture_bytes": len(picture),
            "k": k,
            "within": within or None,
            "requests": requests,
            "cpus": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
            "search": measure(round_trip(*search), requests),
            "search_inside": measure(lambda: float(json.loads(ask(*search))["took_ms"]) / 1e3, requests),
            "thumbnail": measure(round_trip("GET", thumbnail), requests),
            "livez": measure(round_trip("GET", "/livez"), requests),
            **revision(),
        }


def main(
    picture: Annotated[Path, typer.Argument(help="image file", exists=True, dir_okay=False)],
    url: Annotated[str, typer.Option(help="address of the service")] = "http://127.0.0.1:3000",
    requests: Annotated[int, typer.Option(min=1, help="searches that count")] = 1000,
    k: Annotated[int, typer.Option(help="number of answers")] = 10,
    within: Annotated[str, typer.Option(help="only below this taxonomy node")] = "",
) -> None:
    print(json.dumps(benchmark(url, picture.read_bytes(), requests, k, within), indent=1))


if __name__ == "__main__":
    start(main)
