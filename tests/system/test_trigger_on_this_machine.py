"""The trigger as a process, whose runs are runs of the real pipelines on this machine, about data versions of a git repository."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.codestore import CodeStore
from tests.code.services.trigger.test_watch import DVC, Repository
from tests.support.dvc_remote import lay_out
from tests.support.miniature import make_dataset
from tests.support.waiting import until
from tests.system.test_trigger import Process

pytestmark = [pytest.mark.system, pytest.mark.slow]
IMAGES = 1800
SECONDS = 600.0


@pytest.fixture
def trigger(tmp_path: Path, redis_url: str, free_port: int) -> Iterator[Process]:
    made = Process(tmp_path, redis_url, free_port, f"machine-{free_port}")
    remote, home = tmp_path / "remote", tmp_path / "home"
    made.environment |= {
        "TAXOHASH_TRIGGER_COMMAND": f"{sys.executable} -m pipelines.cli.main run",
        "TAXOHASH_TRIGGER_OPTIONS": f"--remote {remote} --home {home}",
        "TAXOHASH_TRIGGER_RETRAIN_OPTIONS": "--bits 16 --epochs 4",
        "TAXOHASH_TRIGGER_REPOSITORY": str(tmp_path / "repository"),
        "TAXOHASH_TRIGGER_POLL": "0.5s",
        "TAXOHASH_PICTURES": str(tmp_path / "pictures"),
        "TAXOHASH_GENERATIONS": str(home / "generations"),
        "TAXOHASH_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    yield made
    if made.process and made.process.poll() is None:
        made.kill(signal.SIGTERM)  # its run too
    made.client.close()


def test_data_that_arrive_are_trained_on_and_the_next_ones_indexed(trigger: Process, tmp_path: Path) -> None:
    """The trigger is killed while it trains, and told to end while it indexes."""
    repository = Repository(tmp_path / "repository")
    md5s = [
        lay_out(make_dataset(tmp_path / f"set{extra}", train=IMAGES + extra).folder, tmp_path / "remote")
        for extra in (0, 60)
    ]
    repository.commit(DVC.format(md5s[0]))
    trigger.start()
    until(lambda: trigger.state()["running"])
    trigger.kill()
    trigger.start()
    until(lambda: trigger.state()["history"], SECONDS)
    (run,) = trigger.state()["history"]
    outcome = run["outcome"]
    assert (run["pipeline"], outcome["verdict"]) == ("retrain", "published"), outcome["reason"]
    assert outcome["data_md5"] == run["data"]["md5"] == md5s[0]
    with CodeStore.connect(trigger.environment["TAXOHASH_REDIS_URL"]) as store:
        published = store.published(trigger.environment["TAXOHASH_COLLECTION"])
        assert published
        assert published.id == outcome["generation"]

    repository.commit(DVC.format(md5s[1]))
    until(lambda: trigger.state()["running"])
    run = trigger.state()["running"]
    assert (run["pipeline"], run["data"]["md5"]) == ("reindex", md5s[1])
    events = tmp_path / "home" / "records" / run["name"]
    until(lambda: events.exists() and any(events.iterdir()))
    assert trigger.kill(signal.SIGTERM) == 0
    trigger.start()
    assert trigger.state()["running"]["name"] == run["name"]
