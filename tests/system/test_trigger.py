"""The trigger as a process, over a real Valkey: a storm, and SIGKILL at any moment."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from services.codestore import CodeStore
from services.trigger import decide
from services.trigger.main import service
from services.trigger.records import Kind, Reason
from services.trigger.settings import Settings
from services.trigger.state import Memory
from taxohash.runtime.sources import ROOT
from tests.code.services.trigger.test_alerts import ALERT, body
from tests.code.services.trigger.test_watch import DVC, ONE, TWO, Repository
from tests.support.scraped import faults, linted
from tests.support.toy_trigger import command_of, ledger
from tests.support.waiting import until

pytestmark = pytest.mark.system
TOKEN = "a-token-of-32-characters-or-more"


class Process:
    """One trigger's process after another, at one port, with a fake `taxohash`."""

    def __init__(self, folder: Path, url: str, port: int, collection: str) -> None:
        self.folder, self.address = folder, f"http://127.0.0.1:{port}"
        (folder / "token").write_text(TOKEN)
        self._command = [sys.executable, "-m", "services.trigger.main", "--port", str(port)]
        self.environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "TAXOHASH_REDIS_URL": url, "TAXOHASH_COLLECTION": collection,
            "TAXOHASH_TRIGGER_COMMAND": " ".join(command_of(folder)), "TAXOHASH_TRIGGER_FOLDER": str(folder / "trigger"),
            "TAXOHASH_TRIGGER_TOKEN_FILE": str(folder / "token"), "TAXOHASH_TRIGGER_COOL_DOWN": "0s",
            "TAXOHASH_TRIGGER_RETRY": "0s", "TAXOHASH_TRIGGER_RUNS_A_DAY": "100000", "TAXOHASH_LOG": "text",
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(headers={"authorization": f"Bearer {TOKEN}"}, timeout=30.0)

    def start(self, *, ready: bool = True) -> None:
        """Start it."""
        with (self.folder / "stderr").open("ab") as log:
            self.process = subprocess.Popen(
                self._command, env=self.environment, stdout=subprocess.DEVNULL, stderr=log
            )
        if ready:
            until(self.is_ready)

    def is_ready(self) -> bool:
        """Whether it answers."""
        assert self.process
        assert self.process.poll() is None, (self.folder / "stderr").read_text()
        try:
            return self.client.get(f"{self.address}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End it, and say how."""
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(60)

    def post(self, path: str, sent: bytes = b"") -> httpx.Response:
        """Ask it something that changes something."""
        return self.client.post(f"{self.address}{path}", content=sent)

    def state(self) -> dict[str, Any]:
        """What it remembers."""
        found: dict[str, Any] = self.client.get(f"{self.address}/v1/runs").json()
        return found

    def started(self) -> list[str]:
        """Names of the runs whose processes began."""
        return [line["run"] for line in ledger(self.folder, "started")]


@pytest.fixture
def trigger(tmp_path: Path, redis_url: str, free_port: int) -> Iterator[Process]:
    made = Process(tmp_path, redis_url, free_port, f"trigger-{free_port}")
    yield made
    if made.process and made.process.poll() is None:
        made.kill()
    made.client.close()
    for line in ledger(tmp_path, "started"):  # what a killed one left
        if lasts(line["pid"]):
            os.kill(line["pid"], signal.SIGKILL)


def lasts(pid: int) -> bool:
    """Whether a run of the fake is there still."""
    try:
        found = psutil.Process(pid)
        return "fake_taxohash" in " ".join(found.cmdline()) and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def script(trigger: Process, **told: Any) -> None:
    (trigger.folder / "script.json").write_text(json.dumps(told))


def alert(number: int) -> bytes:
    return body({**ALERT, "fingerprint": f"{number:x}"})


@pytest.mark.parametrize("server", ["redis_url", "redis7_url", "redis8_url", "cluster_url"])
def test_every_server_remembers(server: str, request: pytest.FixtureRequest, free_port: int) -> None:
    url: str = request.getfixturevalue(server)
    with CodeStore.connect(url) as store, CodeStore.connect(url) as other:
        memories = [Memory(own.server, f"memory-{free_port}") for own in (store, other)]

        def write(number: int) -> None:
            for count in range(25):
                reason = Reason(kind=Kind.ALERT, key=f"{number} {count}", text="x", time=0.0)
                memories[number].change(partial(decide.asked, pipeline="retrain", reason=reason))

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(write, range(2)))
        (pending,) = memories[0].read().pending
        assert len(pending.reasons) == 50


def test_it_is_made_of_its_settings(redis_url: str, free_port: int, tmp_path: Path) -> None:
    collection = f"made-{free_port}"
    repository = Repository(tmp_path / "repository")
    repository.commit(DVC.format(ONE))
    settings = Settings.from_environment(
        {"TAXOHASH_COLLECTION": collection, "TAXOHASH_TRIGGER_FOLDER": str(tmp_path), "TAXOHASH_TRIGGER_REPOSITORY": str(repository.folder)}
    )  # fmt: skip
    with CodeStore.connect(redis_url) as store:
        made = service(settings, store)
        assert made.watch
        made.watch.look()
        state = Memory(store.server, collection).read()
        assert state.data
        assert (state.data.md5, [own.pipeline for own in state.pending]) == (ONE, ["retrain"])


@pytest.mark.usefixtures("unmeasured")
def test_a_storm_of_a_thousand_alerts_starts_one_run(trigger: Process) -> None:
    script(trigger, seconds=600)
    trigger.start()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: trigger.post("/v1/alerts", alert(number)), range(1000)))
    assert {answer.status_code for answer in answers} == {200}
    until(trigger.started)
    state = trigger.state()
    assert len(state["running"]["reasons"]) == 100
    (trigger.folder / "finish").touch()
    until(lambda: trigger.state()["history"])
    state = trigger.state()
    assert (len(trigger.started()), state["running"], state["pending"]) == (1, None, [])
    exposition = trigger.client.get(f"{trigger.address}/metrics").text
    collection = trigger.environment["TAXOHASH_COLLECTION"]
    counted = (
        f'taxohash_trigger_runs_total{{collection="{collection}",pipeline="retrain",verdict="published"}} 1.0'
    )
    assert counted in exposition
    assert 'taxohash_trigger_reasons_total{kind="alert"} 1000.0' in exposition
    assert not faults(exposition, "trigger")
    assert not linted(exposition)


@pytest.mark.usefixtures("unmeasured")
def test_a_killed_one_loses_nothing_and_doubles_nothing(trigger: Process) -> None:
    """SIGKILL at any moment, while alerts come. Each that was acknowledged is a reason of a run that ended, and no run was begun twice."""
    chance = random.Random(7)
    script(trigger, seconds=0.15)
    acknowledged: set[str] = set()
    stopped = threading.Event()

    def alerts() -> None:
        for number in range(100_000):
            if stopped.is_set():
                return
            try:
                if trigger.post("/v1/alerts", alert(number)).status_code == 200:
                    acknowledged.add(f"alert {number:x}")
            except httpx.TransportError:
                pass  # nobody there just now
            time.sleep(0.02)

    sender = threading.Thread(target=alerts)
    sender.start()
    try:
        for _ in range(6):
            trigger.start()
            time.sleep(chance.uniform(0.0, 0.8))
            trigger.kill()
    finally:
        stopped.set()
        sender.join()
    trigger.start()
    until(lambda: (state := trigger.state())["running"] is None and not state["pending"])
    history = trigger.state()["history"]
    answered = {reason["key"] for run in history for reason in run["reasons"]}
    assert len(history) < 100  # so that none is forgotten
    assert acknowledged
    assert acknowledged <= answered
    assert set(Counter(trigger.started()).values()) == {1}
    assert set(trigger.started()) == {run["name"] for run in history}
    assert {run["outcome"]["verdict"] for run in history} == {"published"}
    ends, starts = ledger(trigger.folder, "ended"), ledger(trigger.folder, "started")
    assert len(ends) == len(starts)
    lines = [json.loads(line)["event"] for line in (trigger.folder / "ledger").read_text().splitlines()]
    assert lines == ["started", "ended"] * len(starts)  # one at a time


def test_a_run_outlives_a_killed_trigger_and_ends_with_one_that_is_told_to(trigger: Process) -> None:
    script(trigger, seconds=600)
    trigger.start()
    trigger.post("/v1/alerts", alert(1))
    until(trigger.started)
    (line,) = ledger(trigger.folder, "started")
    trigger.kill()
    assert lasts(line["pid"])
    trigger.start()
    assert trigger.state()["running"]["name"] == line["run"]
    assert trigger.kill(signal.SIGTERM) == 0
    assert not lasts(line["pid"])
    script(trigger, seconds=0.0)
    trigger.start()
    until(lambda: trigger.state()["history"])
    assert trigger.started() == [line["run"]] * 2  # taken up again under its name


@pytest.mark.usefixtures("unmeasured")
def test_new_data_of_a_repository_start_runs_that_name_the_commit(trigger: Process, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    first = repository.commit(DVC.format(ONE))
    trigger.environment |= {
        "TAXOHASH_TRIGGER_REPOSITORY": str(repository.folder), "TAXOHASH_TRIGGER_POLL": "0.2s", "TAXOHASH_TRIGGER_OPTIONS": "--shards 3"
    }  # fmt: skip
    trigger.start()
    until(lambda: len(trigger.state()["history"]) == 1)
    trigger.post("/v1/alerts", alert(1))
    assert trigger.state()["pending"][0]["standing"] == "waiting for data"
    second = repository.commit(DVC.format(TWO))
    until(lambda: len(trigger.state()["history"]) == 2)
    runs = ledger(trigger.folder, "started")
    assert [line["revision"] for line in runs] == [f"{first}:data.dvc", f"{second}:data.dvc"]
    assert {reason["kind"] for reason in trigger.state()["history"][0]["reasons"]} == {"alert", "data"}
