"""A loaded system with a Prometheus that scrapes it: store, service, trigger, and people who search."""

import os
import re
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from services.codestore import EmbeddedServer
from services.processes import end_with_parent
from tests.dashboards import shop
from tests.dashboards.boards import Variables
from tests.dashboards.people import People
from tests.dashboards.source import Source
from tests.loop.versions import Project
from tests.support import monitoring, serving
from tests.support.keyring import Keyring

ROOT = Path(__file__).parents[2]
COLLECTION = "shop"
INTERVAL = 1.0  # seconds between scrapes
RATE = 15.0  # searches a second
_START_SECONDS, _RUN_SECONDS = 120.0, 600.0
_SETTINGS = {
    "TAXOHASH_TRIGGER_POLL": "0.5s",
    "TAXOHASH_TRIGGER_COOL_DOWN": "0s",
    "TAXOHASH_SAMPLE_SHARE": "0.2",
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT),
    "PYTHONWARNINGS": "ignore",
}


@dataclass(frozen=True)
class World:
    """What is looked at.

    Attributes:
        prometheus: its address.
        begun, ended: Unix times between which it scraped a system in use.
    """

    prometheus: str
    begun: float
    ended: float

    def source(self) -> Source:
        """All that was scraped in that time."""
        step = max(INTERVAL, (self.ended - self.begun) / 300)
        return Source(self.prometheus, self.begun, self.ended, step)

    def variables(self) -> Variables:
        """Those of the dashboards, hastened as the scrapes are."""
        return {
            "datasource": "prometheus",
            "namespace": ".*",
            "collection": ".*",
            "generation": ".*",
            "window": "30s",
            "__rate_interval": f"{round(6 * INTERVAL)}s",
            "__range": f"{round(self.ended - self.begun)}s",
        }


@contextmanager
def loaded(home: Path, seconds: float, tell: Callable[[str], None]) -> Iterator[World]:
    """A system that has been used for about so many seconds, runs of the trigger not counted.

    Raises:
        AssertionError: something of it did not happen.
    """
    project = Project.begin(home / "project", home / "remote")
    keys = Keyring(home / "keys.json")
    with ExitStack() as stack:
        store = stack.enter_context(EmbeddedServer(home / "store", options={"maxmemory": "64mb"}))
        environment = _environment(home, store.url, project, keys)
        trigger = stack.enter_context(_triggering(environment, home))
        project.push(shop.write(home / "new", shop.DARK), "dark things")
        tell("a first generation is trained and published by a run that the trigger starts")
        trigger.wait("retrain", 1)
        stack.enter_context(_backfilling(environment, home))
        (home / "service").mkdir()
        service = stack.enter_context(serving.serving(COLLECTION, environment, home / "service"))
        targets = {
            service.url.removeprefix("http://"): {"collection": COLLECTION},
            trigger.url.removeprefix("http://"): {"job": "taxohash-trigger"},
        }
        rules = home / "rules.yaml"
        rules.write_text("groups: []\n")
        prometheus = stack.enter_context(
            monitoring.prometheus(home, rules, targets, "http://127.0.0.1:9", f"{INTERVAL:g}s")
        )
        begun = time.time()
        known, new = shop.asked(shop.DARK, 1), shop.asked(shop.DARK + shop.LIGHT, 2)
        with People(service.url, keys.headers("write"), known, RATE) as people:
            tell("the service is searched for what it knows")
            _rest(people, seconds / 3)
            people.show(new)
            tell("half of the searches are for light things, of which the catalogue has none")
            _rest(people, seconds / 3)
            trigger.ask("drift")
            project.push(shop.write(home / "new", shop.DARK + shop.LIGHT), "light things too")
            tell("a data version with light things is pushed; a run trains and publishes a second generation")
            trigger.wait("retrain", 2)
            _rest(people, seconds / 3)
            ended = time.time()
        tell("it was served for a while")
        yield World(prometheus, begun, ended)


def _rest(people: People, seconds: float) -> None:
    """Until so many searches were answered as are in so many seconds; on a slow machine later than then."""
    enough, deadline = people.answered + seconds * RATE * 0.6, time.monotonic() + 10 * seconds + 60
    time.sleep(seconds)
    while people.answered < enough:
        assert time.monotonic() < deadline, f"only {people.answered} searches were answered"
        time.sleep(0.2)


@dataclass(frozen=True)
class _Trigger:
    url: str
    token: str

    def ask(self, pipeline: str) -> None:
        """Have a run."""
        told = {"pipeline": pipeline, "who": "somebody", "why": "to see it"}
        httpx.post(f"{self.url}/v1/runs", json=told, headers=self._headers).raise_for_status()

    def wait(self, pipeline: str, count: int) -> None:
        """Until so many runs of a pipeline have ended, each with what it was for."""
        deadline = time.monotonic() + _RUN_SECONDS
        while len(ended := self._ended(pipeline)) < count:
            assert time.monotonic() < deadline, f"only {len(ended)} runs of {pipeline} ended"
            time.sleep(0.3)
        assert ended[0]["verdict"] == "published", ended[0]

    def _ended(self, pipeline: str) -> list[dict[str, str]]:
        told = httpx.get(f"{self.url}/v1/runs", headers=self._headers, timeout=30).raise_for_status().json()
        return [
            run["outcome"] for run in told["history"] if run["pipeline"] == pipeline and run.get("outcome")
        ]

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def _environment(home: Path, store_url: str, project: Project, keys: Keyring) -> dict[str, str]:
    for name in ("generations", "pictures"):
        (home / name).mkdir()
    token = home / "token"
    token.write_text(secrets.token_urlsafe(24))
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TAXOHASH_", "AWS_"))}
    return own | {
        **_SETTINGS,
        "TAXOHASH_REDIS_URL": store_url,
        "TAXOHASH_COLLECTION": COLLECTION,
        "TAXOHASH_GENERATIONS": str(home / "generations"),
        "TAXOHASH_PICTURES": str(home / "pictures"),
        "TAXOHASH_API_KEYS_FILE": str(keys.path),
        "TAXOHASH_TRIGGER_COMMAND": f"{sys.executable} -m tests.dashboards.runner run",
        "TAXOHASH_TRIGGER_OPTIONS": f"--remote {project.remote} --home {home / 'pipelines'}",
        "TAXOHASH_TRIGGER_REPOSITORY": str(project.folder),
        "TAXOHASH_TRIGGER_FOLDER": str(home / "trigger"),
        "TAXOHASH_TRIGGER_TOKEN_FILE": str(token),
    }


@contextmanager
def _triggering(environment: dict[str, str], home: Path) -> Iterator[_Trigger]:
    words = ("services.trigger.main", "--port", "0")
    with _running(words, environment, home / "trigger.log") as process:
        assert process.stdout
        ready = select.select([process.stdout], [], [], _START_SECONDS)[0]
        found = re.match(rb"trigger (http\S+)", process.stdout.readline() if ready else b"")
        assert found, f"the trigger does not come up: {(home / 'trigger.log').read_text()}"
        yield _Trigger(found[1].decode(), (home / "token").read_text())


def _backfilling(
    environment: dict[str, str], home: Path
) -> AbstractContextManager["subprocess.Popen[bytes]"]:
    return _running(("pipelines.cli.main", "backfill", "--follow"), environment, home / "backfill.log")


@contextmanager
def _running(
    words: Sequence[str], environment: dict[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=out,
            preexec_fn=end_with_parent,
        )
    with process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
