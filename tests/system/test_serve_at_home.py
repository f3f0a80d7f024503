"""`taxohash serve` on a laptop, with no variable set: one store and one collection for all commands."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from services.codestore import Item
from services.codestore.generation_files import GenerationFiles
from services.codestore.own import code_store
from services.codestore.pictures import Pictures
from services.retrieval.first_generation import publish_first
from taxohash.client import Client
from taxohash.generation.hasher import Hasher
from tests.support.generations import pictures
from tests.support.own_generation import with_codes
from tests.support.waiting import until

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Of a user who has set nothing."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("TAXOHASH_", "AWS_"))}
    yield ours | {"XDG_DATA_HOME": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)}
    for process in psutil.process_iter(["cmdline"]):
        if str(tmp_path / "data" / "taxohash" / "store") in (process.info["cmdline"] or []):
            with suppress(psutil.NoSuchProcess):
                process.terminate()
                process.wait(30)


@contextmanager
def serving(environment: dict[str, str], *words: str, log: Path | None = None) -> Iterator[str]:
    """The address of `taxohash serve`, until it is told to end. What it logs goes to a file where one is named."""
    command = [sys.executable, "-m", "services.retrieval.server.main", *words, "--port", "0"]
    with log.open("w") if log else nullcontext() as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout
    try:
        found = re.match(r"serving (http\S+)", process.stdout.readline())
        assert found, f"it ended with {process.wait()}"
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()
    assert process.returncode == 0


def search(url: str) -> dict[str, object]:
    answer = httpx.post(f"{url}/v1/search", files={"image": ("a.png", pictures(1)[0])}, trust_env=False)
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


def test_a_folder_is_served_by_one_command_and_later_without_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    first, second = (with_codes(tmp_path / str(seed), seed) for seed in (1, 2))
    ids = [Hasher(folder).generation.id for folder in (first, second)]
    with serving(environment, str(first)) as url:
        assert search(url)["generation"] == ids[0]
        with code_store(environment) as store:  # another command sees the same
            assert store.count("default", ids[0]) == len(Hasher(first).ids)
        with Client(url) as client:  # whose pictures have a place, though nothing was ever put
            client.put("mine", pictures(1)[0])
            assert client.image("mine") == pictures(1)[0]
            client.delete("mine")
    shutil.rmtree(first)
    with serving(environment) as url:
        assert search(url)["generation"] == ids[0]
    with serving(environment, str(second)) as url:  # what is published goes on
        assert search(url)["generation"] == ids[0]
    with code_store(environment) as store:
        publish_first(store, "another", second, GenerationFiles.named(environment))
    with serving(environment, "another") as url:
        assert search(url)["generation"] == ids[1]


def test_what_comes_without_a_code_is_encoded_beside_it(environment: dict[str, str], tmp_path: Path) -> None:
    folder = with_codes(tmp_path / "made", 1)
    generation = Hasher(folder).generation.id
    with serving(environment, str(folder)), code_store(environment) as store:
        before = store.count("default", generation)
        store.upsert(
            "default", [Item("new", picture=Pictures.from_environment(environment).put(pictures(1)[0]))]
        )
        until(lambda: store.count("default", generation) == before + 1)
        (beside,) = backfills(environment)
        beside.kill()
        until(lambda: backfills(environment) not in ([], [beside]))  # it is started again
    assert backfills(environment) == []


def backfills(environment: dict[str, str]) -> list[psutil.Process]:
    """Those of this user."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            is_one = "pipelines.cli.main" in (process.info["cmdline"] or [])
            if is_one and process.environ().get("XDG_DATA_HOME") == environment["XDG_DATA_HOME"]:
                found.append(process)
    return found


def test_a_folder_that_cannot_be_served_is_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    folder = with_codes(tmp_path / "made", 1)
    (folder / "codes.npy").write_bytes(b"?")
    command = [sys.executable, "-m", "services.retrieval.server.main", str(folder), "--port", "0"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    said = done.stderr.splitlines()
    assert any("codes.npy has sha256" in line and "export it again" in line for line in said)
    assert not any("Traceback" in line for line in said)
