"""Prometheus and Alertmanager, which scripts/monitoring unpacks, as processes on loopback."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from services.processes import end_with_parent, stop
from tests.support.ports import free_port

PROGRAMS = Path(__file__).parents[2] / ".cache" / "monitoring" / "usr" / "bin"
needs_prometheus = pytest.mark.skipif(
    not PROGRAMS.is_dir(), reason="Prometheus is not here: sh scripts/monitoring says why"
)
_START_SECONDS = 60.0


@contextmanager
def prometheus(
    folder: Path, rules: Path, targets: dict[str, dict[str, str]], alertmanager: str, interval: str
) -> Iterator[str]:
    """Its address; it scrapes targets (host:port, with labels) and looks at the rules so often."""
    config = {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {
                "job_name": "taxohash",
                "static_configs": [
                    {"targets": [target], "labels": labels} for target, labels in targets.items()
                ],
            }
        ],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [alertmanager.removeprefix("http://")]}]}]
        },
    }
    file = _written(folder / "prometheus.yaml", config)
    address = f"127.0.0.1:{free_port()}"
    options = (
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
    )
    with _running("prometheus", options, folder, f"http://{address}") as url:
        yield url


@contextmanager
def alertmanager(folder: Path, config: dict[str, Any]) -> Iterator[str]:
    """Its address."""
    file = _written(folder / "alertmanager.yaml", config)
    address = f"127.0.0.1:{free_port()}"
    options = (
        f"--config.file={file}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    with _running("prometheus-alertmanager", options, folder, f"http://{address}") as url:
        yield url


def firing(prometheus_url: str) -> list[str]:
    """The names of the alerts that fire."""
    told = httpx.get(f"{prometheus_url}/api/v1/alerts").raise_for_status().json()
    return [alert["labels"]["alertname"] for alert in told["data"]["alerts"] if alert["state"] == "firing"]


def notified(alertmanager_url: str) -> list[str]:
    """The names of the alerts that Alertmanager holds as active."""
    told = httpx.get(f"{alertmanager_url}/api/v2/alerts").raise_for_status().json()
    return [alert["labels"]["alertname"] for alert in told if alert["status"]["state"] == "active"]


def _written(file: Path, config: dict[str, Any]) -> Path:
    file.write_text(yaml.safe_dump(config))
    return file


@contextmanager
def _running(program: str, options: Sequence[str], folder: Path, url: str) -> Iterator[str]:
    log = folder / f"{program}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(PROGRAMS / program), *options],
            cwd=PROGRAMS.parent,  # see scripts/monitoring
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _is_ready(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{program} does not come up: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield url
    finally:
        stop(process)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").status_code == 200
    except httpx.TransportError:
        return False
