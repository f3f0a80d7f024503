"""Prometheus, Alertmanager and an exporter of Redis, which scripts/monitoring unpacks, as processes on loopback."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
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
_EXPORTER = "prometheus-redis-exporter"
_START_SECONDS = 60.0
Targets = Mapping[str, dict[str, str]]  # labels by host:port


@contextmanager
def prometheus(
    folder: Path,
    rules: Path,
    targets: Targets,
    alertmanager: str,
    interval: str,
    more: Mapping[str, Targets] | None = None,
) -> Iterator[str]:
    """Its address.

    Args:
        rules: a file, or a pattern of files.
        targets: services, the job `taxohash`.
        interval: between scrapes, and between looks at the rules.
        more: targets of other jobs.
    """
    config = {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {
                "job_name": job,
                "static_configs": [{"targets": [target], "labels": labels} for target, labels in own.items()],
            }
            for job, own in ({"taxohash": targets} | dict(more or {})).items()
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


def has_exporter() -> bool:
    """Whether the exporter of Redis is here."""
    return (PROGRAMS / _EXPORTER).is_file()


@contextmanager
def redis_exporter(folder: Path, store: str, password: str) -> Iterator[str]:
    """Its address; it tells of the server at an address."""
    variables = {
        "REDIS_ADDR": store,
        "REDIS_PASSWORD": password,
        "REDIS_EXPORTER_REDIS_ONLY_METRICS": "true",
    }
    with exporter_told(folder, variables) as url:
        yield url


@contextmanager
def exporter_told(folder: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """Its address; all else it is told by these variables."""
    address = f"127.0.0.1:{free_port()}"
    options = (f"--web.listen-address={address}",)
    with _running(_EXPORTER, options, folder, f"http://{address}", "/health", variables) as url:
        yield url


def ranged(
    prometheus_url: str, expression: str, begin: float, end: float, step: float
) -> list[dict[str, Any]]:
    """The series of an expression between two Unix times: `metric`, its labels, and `values`, pairs of Unix time and text."""
    words = {"query": expression, "start": str(begin), "end": str(end), "step": str(step)}
    found: list[dict[str, Any]] = _asked(f"{prometheus_url}/api/v1/query_range", words)["data"]["result"]
    return found


def scrapes(prometheus_url: str) -> bool:
    """Whether every target was scraped."""
    told = _asked(f"{prometheus_url}/api/v1/targets")["data"]["activeTargets"]
    return bool(told) and all(target["health"] == "up" for target in told)


def alerts(prometheus_url: str) -> list[dict[str, Any]]:
    """The alerts that fire or are pending, with their labels and annotations."""
    found: list[dict[str, Any]] = _asked(f"{prometheus_url}/api/v1/alerts")["data"]["alerts"]
    return found


def firing(prometheus_url: str) -> list[str]:
    """The names of the alerts that fire."""
    return [alert["labels"]["alertname"] for alert in alerts(prometheus_url) if alert["state"] == "firing"]


def notified(alertmanager_url: str) -> list[str]:
    """The names of the alerts that Alertmanager holds as active."""
    told = _asked(f"{alertmanager_url}/api/v2/alerts")
    return [alert["labels"]["alertname"] for alert in told if alert["status"]["state"] == "active"]


def _asked(url: str, words: Mapping[str, str] | None = None) -> Any:
    """What is answered. Who asks again and again does without certificates, which take longer to read than the answer to come."""
    return httpx.get(url, params=words, verify=False).raise_for_status().json()


def _written(file: Path, config: dict[str, Any]) -> Path:
    file.write_text(yaml.safe_dump(config))
    return file


@contextmanager
def _running(
    program: str,
    options: Sequence[str],
    folder: Path,
    url: str,
    ready: str = "/-/ready",
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    log = folder / f"{program}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(PROGRAMS / program), *options],
            cwd=PROGRAMS.parent,  # see scripts/monitoring
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _is_ready(f"{url}{ready}"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{program} does not come up: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield url
    finally:
        stop(process)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
