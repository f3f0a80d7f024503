"""One machine in a night: the command, a store of its own, and what goes wrong with both."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from pipelines.runners.local import PROCESS
from services.codestore.own import OwnStore
from services.runs import EXIT_CODES, Outcome
from tests.loop import catalogue

COLLECTION = "night"
TRAINING = ("--bits", "32", "--network", "small-resnet")
SECONDS = 300.0
FULL_BYTES = 200_000  # no file may become larger where the disk is full; the trained network is


class World:
    """What the night happens to."""

    def __init__(self, home: Path) -> None:
        """
        Args:
            home: an empty folder.
        """
        self.home = home
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TAXOHASH_")},
            "XDG_DATA_HOME": str(home / "user"),
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore",
        }

    def store(self) -> OwnStore:
        """The code store among the user's data, for all of the night: the full disk is that of runs."""
        return OwnStore(self.home / "user" / "taxohash" / "store")

    def data(self, name: str, stock: Mapping[catalogue.Thing, int], mislabelled: bool = False) -> Path:
        """A data version arrives."""
        return catalogue.write(self.home / "data" / name, stock, mislabelled)

    def command(self, *words: str, code: int = 0) -> str:
        """What a command of `taxohash` prints, which ends with this code."""
        done = subprocess.run(
            self._words(*words), env=self._environment, capture_output=True, text=True, timeout=SECONDS
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, f"{' '.join(words)} ended with {done.returncode}, not {code}: {said}"
        assert "Traceback" not in said, said
        return done.stdout

    def run(self, pipeline: str, run: str, data: Path | None, *options: str, disk: bool = True) -> Outcome:
        """A pipeline runs to its end; on a full disk where there is none."""

        def full() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_BYTES, FULL_BYTES))

        process = self._started(pipeline, run, data, options, None if disk else full)
        return self._came_of(process)

    def killed_run(self, pipeline: str, run: str, data: Path, step: str, *options: str) -> Outcome:
        """A pipeline whose steps are killed when one has begun."""
        process = self._started(pipeline, run, data, options)
        assert process.stderr
        for line in process.stderr:
            if line.startswith(f"{step} ..."):
                break
        for child in _steps_of(process.pid):
            with suppress(psutil.NoSuchProcess):
                child.kill()
        return self._came_of(process)

    def published(self) -> str:
        """The generation that is served, or empty."""
        for one in json.loads(self.command("store", "generations", "--collection", COLLECTION, "--json")):
            if one["state"] == "published":
                return str(one["ref"]["id"])
        return ""

    def runs(self) -> dict[str, str]:
        """The verdicts of all runs, the oldest first."""
        words = ("--home", str(self.home / "runs"), "--json")
        told = json.loads(self.command("pipeline", "status", *words))
        names = [one["name"] for one in reversed(told)]
        outcomes = [json.loads(self.command("pipeline", "status", name, *words))["outcome"] for name in names]
        return {name: one["verdict"] for name, one in zip(names, outcomes, strict=True)}

    def audit(self) -> list[dict[str, Any]]:
        """What became of generations, the oldest first."""
        words = ("store", "audit", "--collection", COLLECTION, "--most", "100", "--json")
        found: list[dict[str, Any]] = json.loads(self.command(*words))
        return found[::-1]

    def _words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "taxohash.cli", *words]

    def _started(
        self,
        pipeline: str,
        run: str,
        data: Path | None,
        options: Sequence[str],
        before: Callable[[], None] | None = None,
    ) -> "subprocess.Popen[str]":
        words = ["pipeline", "run", pipeline, "--run", run, "--home", str(self.home / "runs"), "--json"]
        words += ["--collection", COLLECTION, *(("--data", str(data)) if data else ()), *options]
        words += TRAINING if pipeline == "retrain" else ()
        return subprocess.Popen(
            self._words(*words),
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,
        )

    def _came_of(self, process: "subprocess.Popen[str]") -> Outcome:
        try:
            out, err = process.communicate(timeout=SECONDS)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=60)
        assert "Traceback" not in out + err, out + err
        assert out, f"the run says nothing, and ended with {process.returncode}: {err}"
        outcome = Outcome.of_json(out.splitlines()[-1])
        assert process.returncode == EXIT_CODES[outcome.verdict], err
        return outcome


def _steps_of(run: int) -> list[psutil.Process]:
    """The process that runs a run's steps, and all that it has started."""
    found = []
    for child in psutil.Process(run).children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if PROCESS in child.cmdline():
                found += [child, *child.children(recursive=True)]
    return found
