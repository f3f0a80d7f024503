"""Serve a Bento, or a generation's folder from the sources: `taxohash serve TAG|DIR --port N`.

A thin start of `bentoml serve` on loopback: one line when something is wrong, the address when it is ready,
and nothing left behind when it ends. Settings come from the environment, see settings.py.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import httpx

from services.processes import end_with_parent, stop
from services.retrieval.bento.build import SERVICE
from services.retrieval.settings import Settings
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import writable
from taxohash.runtime.flags import Parser
from taxohash.runtime.sources import ROOT
from taxohash.runtime.terminal import printable

HOST = "127.0.0.1"
_START_SECONDS = 120.0
_GRACE_SECONDS = 5
_STOP_SECONDS = 15.0


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="taxohash serve", description=__doc__)
    parser.add_argument("target", help="tag or folder of a Bento, or folder of a generation")
    parser.add_argument("--port", type=int, default=3000, help="0 takes a free one")
    parser.add_argument("--bento-home", type=Path, help="where Bentos and models are kept (BENTOML_HOME)")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        port = free_port(chosen.port)
        with _home(chosen.bento_home) as home:
            return _serve(chosen.target, port, home)
    except TaxohashError as error:
        print(f"serve: {printable(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


def free_port(port: int) -> int:
    """The port, or a free one for 0.

    Raises:
        TaxohashError: it is taken or may not be used.
    """
    if not 0 <= port <= 65535:
        raise TaxohashError(f"port {port} does not exist: choose 1 to 65535, or 0 for a free one")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise TaxohashError(
                f"port {port} cannot be used ({error.strerror}): choose another, or 0 for a free one"
            ) from None
        taken: int = probe.getsockname()[1]
        return taken


def _serve(target: str, port: int, home: Path) -> int:
    environment = os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
    if (Path(target) / "generation.json").is_file():
        environment["TAXOHASH_GENERATION"] = str(Path(target).resolve())
        target = SERVICE
    elif Path(target).is_dir():
        target = str(Path(target).resolve())
    Settings.from_environment(environment)
    command = [sys.executable, "-m", "bentoml", "serve", target, "--host", HOST, "--port", str(port)]
    command += ["--timeout-graceful-shutdown", str(_GRACE_SECONDS)]
    # A session of its own, so that Ctrl-C reaches us alone.
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, start_new_session=True, preexec_fn=end_with_parent
    )
    try:
        url = f"http://{HOST}:{port}"
        if _ready(process, url):
            print(f"serving {url}", flush=True)
        return process.wait()
    finally:
        if process.poll() is None:
            for again in (signal.SIGINT, signal.SIGTERM):
                signal.signal(again, signal.SIG_IGN)
            stop(process, _STOP_SECONDS)


def _ready(process: "subprocess.Popen[bytes]", url: str) -> bool:
    """Whether the service got ready; False if it ended, having said why.

    Raises:
        TaxohashError: it takes too long.
    """
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise TaxohashError(
                f"service at {url} is not ready after {_START_SECONDS:g} seconds: see the lines above"
            )
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/readyz", timeout=2.0, trust_env=False).status_code == 200:
                return True
        time.sleep(0.1)
    return False


@contextmanager
def _home(chosen: Path | None) -> Iterator[Path]:
    """A BENTOML_HOME of our own that shares Bentos and models with the chosen one.

    BentoML empties and fills the directory of its metrics in there, so two servers must not share it.
    """
    real = chosen or Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml")
    with tempfile.TemporaryDirectory(prefix="taxohash-serve-") as folder:
        for store in ("bentos", "models"):
            (Path(folder) / store).symlink_to(writable(real / store).resolve())
        yield Path(folder)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
