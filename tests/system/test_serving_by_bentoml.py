"""`bentoml serve` of the same service: what of our own start holds there too."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from tests.support.ports import free_port
from tests.support.scraped import OF_HEALTH, faults
from tests.support.serving import ROOT, START_SECONDS, environment

pytestmark = pytest.mark.system


def test_a_killed_bentoml_leaves_nothing(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "bentoml", "serve", "services.retrieval.bento.service:Retrieval"]
    variables = environment("redis://127.0.0.1:1", tmp_path, BENTOML_DO_NOT_TRACK="true")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=ROOT, env=variables, stdout=log, stderr=log
        )
    family: list[psutil.Process] = []
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _is_alive(port):
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.1)
        family = psutil.Process(process.pid).children(recursive=True)
        _check_metrics(port, tmp_path)
        assert any(_listens(child, port) for child in family)
        os.kill(process.pid, 9)
        process.wait()
        assert not psutil.wait_procs(family, timeout=START_SECONDS)[1]
        assert not _is_alive(port)
    finally:
        process.kill()
        process.wait()
        for child in family:
            with suppress(psutil.NoSuchProcess):
                child.kill()


def _check_metrics(port: int, home: Path) -> None:
    """They are the process's own: none is kept in the folder that BentoML names for those of several processes."""
    for _ in range(3):
        assert httpx.post(f"http://127.0.0.1:{port}/v1/search", trust_env=False).status_code == 503
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    assert not faults(text, "retrieval", missing=OF_HEALTH)
    for counted in (
        'taxohash_searches_timed_total{outcome="late"} 3.0',
        "taxohash_ready 0.0",
        "process_open_fds ",
    ):
        assert f"\n{counted}" in text
    assert "pid=" not in text
    assert not list(home.rglob("*.db"))


def _listens(process: psutil.Process, port: int) -> bool:
    return any(here.laddr.port == port for here in process.net_connections("tcp") if here.laddr)


def _is_alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez", timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
