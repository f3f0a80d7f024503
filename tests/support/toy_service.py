"""The toy application behind our own supervisor: `python -m tests.support.toy_service`; it listens on a free port."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]

from services import settings
from services.retrieval.server.supervisor import Serving, supervise
from services.web.listening import listen, url_of

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0
_WORKER = ("-m", "services.retrieval.server.worker", "--app", "tests.support.toy_application:create")


def main() -> int:
    listener = listen("127.0.0.1", 0)
    url = url_of(listener)
    print(url, flush=True)
    drain_seconds = settings.DRAIN_SECONDS.of()
    serving = Serving((sys.executable, *_WORKER), os.environ, ROOT, drain_seconds)
    return supervise(serving, listener, lambda: print("ready", flush=True))


@dataclass(frozen=True)
class Toy:
    """The service that runs."""

    process: "subprocess.Popen[str]"
    url: str
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    @property
    def family(self) -> list[psutil.Process]:
        """Supervisor, worker, and what that started."""
        try:
            supervisor = psutil.Process(self.process.pid)
        except psutil.NoSuchProcess:
            return []
        return [supervisor, *supervisor.children(recursive=True)]

    @property
    def worker(self) -> psutil.Process:
        (worker,) = psutil.Process(self.process.pid).children()
        return worker

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=SECONDS, trust_env=False)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(SECONDS)


@contextmanager
def toy_service(
    folder: Path, command: tuple[str, ...] = (), ready: bool = True, **variables: str
) -> Iterator[Toy]:
    """The service, ready; afterwards nothing of it may be left.

    Args:
        command: put before, such as prlimit.
        ready: whether to wait for it.
    """
    environment = {**_clean(os.environ), "PYTHONPATH": str(ROOT), **variables}
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, sys.executable, "-m", "tests.support.toy_service"],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=out, text=True,
        )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as lines:
        toy = Toy(process, lines.readline().strip(), log)
        try:
            if ready:
                assert lines.readline() == "ready\n", log.read_text()
            family = toy.family
            yield toy
        finally:
            family = [*family, *toy.family]
            process.terminate()
            try:
                process.wait(SECONDS)
            finally:
                process.kill()
    assert not psutil.wait_procs(family, timeout=SECONDS)[1], f"processes are left: {log.read_text()}"


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(("TAXOHASH_", "TOY"))}


if __name__ == "__main__":
    sys.exit(main())
