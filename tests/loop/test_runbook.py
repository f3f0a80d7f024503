"""What the runbook says to type, typed, where store, service and trigger run. What is for a cluster is for tests/code/docs."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from services.runs import Verdict
from tests.code.docs.test_commands import blocks, commands
from tests.loop import catalogue
from tests.loop.runners import QUICK
from tests.loop.timeline import Timeline
from tests.loop.versions import Project
from tests.loop.world import World, world

PAGE = "manifests/monitoring/runbook.md"
ROOT = Path(__file__).parents[2]
SERVICE, TRIGGER = "http://127.0.0.1:3000", "http://127.0.0.1:3100"
TYPED = list(dict.fromkeys(shlex.join(words) for block in blocks(PAGE, "sh") for words in commands(block)))


def typed(line: str, all_of_it: World, service: str, folder: Path) -> None:
    words = shlex.split(line)
    if words[0] == "curl":
        asked(words[1:], all_of_it, service)
    elif words[0] == "taxohash":
        done = subprocess.run(
            [sys.executable, "-m", "taxohash.cli", *words[1:]],
            cwd=folder,
            env={**all_of_it.environment, "HOME": str(folder), "TAXOHASH_TTY": "0"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
        assert done.stdout, line
    else:
        assert words[0] == "kubectl", line


def asked(words: list[str], all_of_it: World, service: str) -> None:
    (url,) = (word for word in words if word.startswith("http"))
    data = words[words.index("-d") + 1] if "-d" in words else None
    headers = {"Authorization": f"Bearer {all_of_it.token.read_text()}"}
    url = url.replace(SERVICE, service).replace(TRIGGER, all_of_it.trigger.url)
    answer = httpx.request("POST" if data else "GET", url, content=data, headers=headers)
    assert answer.is_success, (url, answer.text)


@pytest.mark.slow
@pytest.mark.system
def test_what_the_runbook_says_to_type_works(tmp_path: Path) -> None:
    assert len([line for line in TYPED if not line.startswith("kubectl")]) > 10
    project = Project.begin(tmp_path / "project", tmp_path / "remote")
    md5 = project.push(catalogue.write(tmp_path / "new", catalogue.FIRST), "pictures")
    with world(tmp_path, project, QUICK) as all_of_it:
        Timeline().wait(lambda: all_of_it.trigger.ended(md5), "the first run", QUICK.seconds)
        (first,) = all_of_it.trigger.ended(md5)
        assert first["outcome"]["verdict"] == Verdict.PUBLISHED
        folder = tmp_path / "typed"
        folder.mkdir()
        add = ("keys", "add", "shop", "--role", "search", "--file", "api-keys.json")
        subprocess.run([sys.executable, "-m", "taxohash.cli", *add], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)  # fmt: skip
        with all_of_it.served() as service:
            for line in TYPED:
                typed(line, all_of_it, service.url, folder)
