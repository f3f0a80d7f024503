"""The processes that are asked: the service as `taxohash serve` and as BentoML start it, and bare routes in the same hosts."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]

from benchmarks.speed.serving.bare import BARE
from benchmarks.speed.serving.held import HELD
from services.codestore import CodeStore, GenerationRef, Item
from services.processes import end_with_parent, stop
from services.web.listening import listen
from taxohash.codes import Codes
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher

COLLECTION = "default"
_START_SECONDS = 120.0
_FILL = 16_000  # items of a write


@dataclass(frozen=True)
class Host:
    """A process that answers, and those that it started."""

    address: tuple[str, int]
    leader: psutil.Process

    def cpu(self) -> float:
        """Seconds that they have had of the CPU."""
        times = [process.cpu_times() for process in self._all()]
        return sum(float(one.user + one.system) for one in times)

    def memory(self) -> dict[str, float]:
        """MiB that are resident in them, and their share of what they share."""
        found = [process.memory_full_info() for process in self._all()]
        return {
            "rss_mib": round(sum(one.rss for one in found) / 2**20, 1),
            "pss_mib": round(sum(one.pss for one in found) / 2**20, 1),
        }

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to the process that serves, of those that a supervisor started."""
        (worker,) = self.leader.children()
        worker.send_signal(number)

    def _all(self) -> list[psutil.Process]:
        return [self.leader, *self.leader.children(recursive=True)]


def publish(url: str, generation: Path, ids: list[str], codes: Codes) -> None:
    """Put items with these codes into a store, as the published generation: item n has the label n mod 20."""
    hasher = Hasher(generation)
    ref = GenerationRef(hasher.generation.id, hasher.generation.bits, hasher.generation.taxonomy_sha256)
    labels = len(hasher.taxonomy)
    with CodeStore.connect(url, timeout=60.0) as store:
        store.create(COLLECTION, hasher.taxonomy)
        store.begin(COLLECTION, ref)
        for first in range(0, len(ids), _FILL):
            some = range(first, min(first + _FILL, len(ids)))
            items = [Item(ids[n], (n % labels,)) for n in some]
            store.fill(COLLECTION, ref.id, items, codes[some.start : some.stop])
        store.seal(COLLECTION, ref.id)
        store.publish(COLLECTION, ref.id)


@contextmanager
def service(store: str, generation: Path, program: str = "services.retrieval.server.main") -> Iterator[Host]:
    """`taxohash serve`, or a program that is like it."""
    command = [program, str(generation), "--port", "0", "--no-backfill"]
    with _running(command, _ours(store, generation)) as (process, log):
        assert process.stdout
        line = process.stdout.readline()
        if not (served := re.match(r"serving http://127.0.0.1:(\d+)", line)):
            raise TaxohashError(f"taxohash serve does not start: {line}{_said(log)}")
        with _ready(process, int(served[1]), log) as host:
            yield host


@contextmanager
def service_in_bentoml(store: str, generation: Path) -> Iterator[Host]:
    """`bentoml serve` of the service."""
    with _bentoml("services.retrieval.bento.service:Retrieval", _ours(store, generation)) as host:
        yield host


@contextmanager
def bare(asked: Mapping[str, Any]) -> Iterator[Host]:
    """A bare route under uvicorn as it is, but that it writes no log of requests."""
    with _uvicorn("benchmarks.speed.serving.bare:create", {BARE: json.dumps(asked)}) as host:
        yield host


@contextmanager
def held(asked: Mapping[str, Any]) -> Iterator[Host]:
    """The service over items that it makes itself, under uvicorn as it is."""
    with _uvicorn("benchmarks.speed.serving.held:create", {HELD: json.dumps(asked)}) as host:
        yield host


@contextmanager
def bare_in_bentoml(asked: Mapping[str, Any]) -> Iterator[Host]:
    """`bentoml serve` of a bare route."""
    with _bentoml("benchmarks.speed.serving.bento:Bare", {BARE: json.dumps(asked)}) as host:
        yield host


@contextmanager
def _bentoml(name: str, variables: dict[str, str]) -> Iterator[Host]:
    port = _free_port()
    with tempfile.TemporaryDirectory() as home:
        command = ["bentoml", "serve", name, "--port", str(port)]
        with (
            _running(command, variables | {"BENTOML_HOME": home}) as (process, log),
            _ready(process, port, log) as host,
        ):
            yield host


@contextmanager
def _uvicorn(factory: str, variables: dict[str, str]) -> Iterator[Host]:
    port = _free_port()
    # The event loop of Python, as in every image of the service, whatever else is installed here.
    command = [
        "uvicorn",
        "--factory",
        factory,
        "--port",
        str(port),
        "--loop",
        "asyncio",
        "--http",
        "httptools",
    ]
    command += ["--no-access-log", "--log-level", "warning"]
    with _running(command, variables) as (process, log), _ready(process, port, log) as host:
        yield host


def _free_port() -> int:
    with listen("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


def _ours(store: str, generation: Path) -> dict[str, str]:
    return {
        "TAXOHASH_REDIS_URL": store,
        "TAXOHASH_GENERATION": str(generation),
        "TAXOHASH_GENERATIONS": str(generation.parent),
        "TAXOHASH_COLLECTION": COLLECTION,
        "OTEL_SDK_DISABLED": "true",
        "BENTOML_DO_NOT_TRACK": "true",
    }


@contextmanager
def _running(
    command: list[str], variables: Mapping[str, str]
) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("TAXOHASH_", "BENTOML_"))
    }
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("w") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=own | dict(variables), stdout=subprocess.PIPE, stderr=said, text=True, start_new_session=True, preexec_fn=end_with_parent,
            )  # fmt: skip
        try:
            yield process, log
        finally:
            stop(process)


@contextmanager
def _ready(process: "subprocess.Popen[str]", port: int, log: Path) -> Iterator[Host]:
    """The host, once it answers anything but 503."""
    until = time.monotonic() + _START_SECONDS
    url = f"http://127.0.0.1:{port}/readyz"
    while time.monotonic() < until and process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(url, trust_env=False, timeout=60.0).status_code != 503:
                break
        time.sleep(0.05)
    else:
        raise TaxohashError(f"a host does not start: {_said(log)}")
    yield Host(("127.0.0.1", port), psutil.Process(process.pid))


def _said(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
