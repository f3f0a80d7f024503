"""All that the loop is made of, as processes on this machine: store, service under load, Prometheus, Alertmanager, trigger."""

import os
import re
import secrets
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from services.codestore import EmbeddedServer
from services.processes import end_with_parent
from tests.loop.alerts import Pace, hastened_routes, hastened_rules
from tests.loop.people import People, people
from tests.loop.versions import Project
from tests.support import monitoring, serving

ROOT = Path(__file__).parents[2]
COLLECTION = "shop"
_START_SECONDS = 60


@dataclass(frozen=True)
class Runner:
    """What the trigger starts.

    Attributes:
        command: a run's words are added to it.
        retrain_options: further words of each retraining.
        seconds: in which a run must have ended.
        pace: of Prometheus and Alertmanager.
        noise: seconds for which things that are known are searched for, and nothing happens.
    """

    command: Sequence[str]
    retrain_options: Sequence[str]
    seconds: float
    pace: Pace
    noise: float


@dataclass(frozen=True)
class Watch:
    """The addresses of those who watch.

    Attributes:
        pace: of theirs.
    """

    prometheus: str
    alertmanager: str
    pace: Pace


class Trigger:
    """The trigger, as its users see it."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        # Who asks again and again reads no certificates each time.
        self._client = httpx.Client(headers={"Authorization": f"Bearer {token}"}, verify=False)

    def close(self) -> None:
        """Ask nothing more."""
        self._client.close()

    def runs(self) -> dict[str, Any]:
        """What it remembers."""
        answer = self._client.get(f"{self.url}/v1/runs").raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def ended(self, md5: str) -> list[dict[str, Any]]:
        """Runs of a data version that are over, oldest first."""
        return [run for run in reversed(self.runs()["history"]) if run["data"]["md5"] == md5]


@dataclass(frozen=True)
class World:
    """The loop but for what begins when something is published.

    Attributes:
        home: for everything that is made.
        environment: of every process.
        people: whom runs and Alertmanager tell.
        exporter: of the store's server; empty where there is none.
    """

    home: Path
    environment: dict[str, str]
    project: Project
    trigger: Trigger
    token: Path
    people: People
    exporter: str
    runner: Runner

    @property
    def generations(self) -> Path:
        """Where generations lie."""
        return self.home / "generations"

    @contextmanager
    def served(self) -> Iterator[serving.Service]:
        """The service of what is published."""
        (self.home / "service").mkdir()
        with serving.serving(COLLECTION, self.environment, self.home / "service") as service:
            yield service

    @contextmanager
    def watched(self, service: serving.Service) -> Iterator[Watch]:
        """Prometheus and Alertmanager, which tells the trigger and people."""
        pace = self.runner.pace
        routes = hastened_routes(self.trigger.url, self.token, self.people.url, pace)
        rules = hastened_rules(self.home / "rules", pace)
        labels = {"collection": COLLECTION}
        more = {"taxohash-trigger": {_host(self.trigger.url): labels}}
        if self.exporter:
            more["redis"] = {_host(self.exporter): labels}
        with (
            monitoring.alertmanager(self.home, routes) as alertmanager,
            monitoring.prometheus(
                self.home,
                rules,
                {_host(service.url): labels},
                alertmanager,
                f"{round(1000 * pace.interval)}ms",
                more,
            ) as prometheus,
        ):
            yield Watch(prometheus, alertmanager, pace)


@contextmanager
def world(home: Path, project: Project, runner: Runner) -> Iterator[World]:
    """A store, and the trigger that watches a project's data versions."""
    with ExitStack() as stack:
        password, token = secrets.token_urlsafe(24), home / "token"
        store = stack.enter_context(EmbeddedServer(home / "store", options={"requirepass": password}))
        exporter = ""
        if monitoring.has_exporter():
            exporter = stack.enter_context(monitoring.redis_exporter(home, store.url, password))
        told = stack.enter_context(people())
        token.write_text(secrets.token_urlsafe(24))
        store_url = store.url.replace("unix://", f"unix://:{password}@")
        environment = _environment(home, store_url) | _of_trigger(home, project, token, runner)
        environment |= {
            "TAXOHASH_NOTIFY_URL": told.url,
            "TAXOHASH_CANARY_SECONDS": f"{60.0 / runner.pace.factor:g}",
        }
        url = stack.enter_context(_triggering(environment, home))
        trigger = stack.enter_context(closing(Trigger(url, token.read_text())))
        yield World(home, environment, project, trigger, token, told, exporter, runner)


def _host(url: str) -> str:
    return url.removeprefix("http://")


def _environment(home: Path, store_url: str) -> dict[str, str]:
    for name in ("generations", "pictures"):
        (home / name).mkdir()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TAXOHASH_", "AWS_"))}
    return (
        own
        | {
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
            "OMP_NUM_THREADS": "1",
            "TAXOHASH_REDIS_URL": store_url,
            "TAXOHASH_COLLECTION": COLLECTION,
            "TAXOHASH_GENERATIONS": str(home / "generations"),
            "TAXOHASH_PICTURES": str(home / "pictures"),
            "TAXOHASH_SEARCH_OBJECTIVE": "30",  # training shares the cores here, and how fast they are is not what is tested
        }
    )


def _of_trigger(home: Path, project: Project, token: Path, runner: Runner) -> dict[str, str]:
    return {
        "TAXOHASH_TRIGGER_COMMAND": " ".join(runner.command),
        "TAXOHASH_TRIGGER_OPTIONS": f"--remote {project.remote} --home {home / 'pipelines'}",
        "TAXOHASH_TRIGGER_RETRAIN_OPTIONS": " ".join(runner.retrain_options),
        "TAXOHASH_TRIGGER_REPOSITORY": str(project.folder),
        "TAXOHASH_TRIGGER_POLL": "0.5s",
        "TAXOHASH_TRIGGER_COOL_DOWN": "0s",
        "TAXOHASH_TRIGGER_FOLDER": str(home / "trigger"),
        "TAXOHASH_TRIGGER_TOKEN_FILE": str(token),
    }


@contextmanager
def _triggering(environment: dict[str, str], home: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "services.trigger.main", "--port", "0"]
    with (home / "trigger.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            preexec_fn=end_with_parent,
        )
    assert process.stdout
    try:
        ready = select.select([process.stdout], [], [], _START_SECONDS)[0]
        found = re.match(r"trigger (http\S+)", process.stdout.readline() if ready else "")
        assert found, f"the trigger does not come up: {(home / 'trigger.log').read_text()}"
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()
