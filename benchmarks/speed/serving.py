"""Latency of a running service, as one client on one connection sees it.

`python -m benchmarks.speed.serving PICTURE --url http://127.0.0.1:3000` sends searches one after the other and
prints JSON: milliseconds over all requests after the warm-up, the server's own share (`took_ms`), and the
round trip of the smallest answer there is (`/livez`), which is what HTTP alone costs.
"""

import argparse
import http.client
import json
import os
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

WARM_UP = 50


def measure(work: Callable[[], float], requests: int) -> dict[str, float]:
    """Median, p99 and minimum of `work`'s milliseconds, and requests a second."""
    for _ in range(WARM_UP):
        work()
    started = time.perf_counter()
    times = np.array([work() for _ in range(requests)])
    elapsed = time.perf_counter() - started
    return {
        "median_ms": round(float(np.median(times)), 3),
        "p99_ms": round(float(np.percentile(times, 99)), 3),
        "min_ms": round(float(times.min()), 3),
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
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise SystemExit(
                    f"{url}{path} answered {answer.status}: {content.decode(errors='replace')[:300]}"
                )
            return content

        def timed(*request: Any) -> Callable[[], float]:
            def work() -> float:
                started = time.perf_counter()
                ask(*request)
                return 1000 * (time.perf_counter() - started)

            return work

        search = ("POST", "/v1/search", *form(picture, k, within))
        generation = json.loads(ask("GET", "/v1/generation"))
        thumbnail = json.loads(ask(*search))["results"][0]["thumbnail"]
        return {
            "codes": generation["codes"],
            "bits": generation["bits"],
            "picture_bytes": len(picture),
            "k": k,
            "within": within or None,
            "requests": requests,
            "cpus": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
            "search": measure(timed(*search), requests),
            "search_inside": measure(lambda: float(json.loads(ask(*search))["took_ms"]), requests),
            "thumbnail": measure(timed("GET", thumbnail), requests),
            "livez": measure(timed("GET", "/livez"), requests),
        }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.serving", description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:3000")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--within", default="")
    chosen = parser.parse_args()
    result = benchmark(chosen.url, chosen.picture.read_bytes(), chosen.requests, chosen.k, chosen.within)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
