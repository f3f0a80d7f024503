"""The rules and alerts of manifests/monitoring as they are written, and the programs of Prometheus that check them."""

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.monitoring import PROGRAMS

FOLDER = Path(__file__).parents[2] / "manifests" / "monitoring"
RULES = sorted((FOLDER / "rules").glob("*.yaml"))
ALERTS = sorted((FOLDER / "alerts").glob("*.yaml"))
TESTS = sorted((FOLDER / "tests").glob("*.yaml"))
Rule = dict[str, Any]


@cache
def read(file: Path) -> Any:
    """What a file says, once."""
    return yaml.load(file.read_text(), yaml.CSafeLoader)


def rules_of(*files: Path) -> Iterator[Rule]:
    """Their rules, in order."""
    for file in files:
        for group in read(file)["groups"]:
            yield from group["rules"]


def alerts() -> dict[str, list[Rule]]:
    """The rules of each alert, by its name."""
    found: dict[str, list[Rule]] = {}
    for rule in rules_of(*ALERTS):
        found.setdefault(rule["alert"], []).append(rule)
    return found


def program(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """What promtool or amtool says."""
    return subprocess.run([PROGRAMS / name, *words], capture_output=True, text=True, timeout=120, check=False)


def promtool(*words: str | Path) -> None:
    """Let it check something.

    Raises:
        AssertionError: it found something.
    """
    done = program("promtool", *words)
    assert done.returncode == 0, done.stdout + done.stderr
