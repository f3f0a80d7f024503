"""Nights of retraining, of files that are small and have the form of those that runs write, and of a store that is told the same."""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from pipelines.retention.prune import Pruned, Pruning
from pipelines.retrain.steps import run_folder
from pipelines.runners.local import PARAMETERS
from pipelines.shared.outcome import outcome
from pipelines.shared.record import OUTCOME, Record
from pipelines.shared.versions.remote import object_name
from services.codestore import CodeStore, GenerationRef, Item, memory
from services.codestore.generation_files import GenerationFiles
from services.runs import Verdict
from taxohash.datasets.identity import listing_md5
from taxohash.runtime.atomic import write_json, write_text
from taxohash.runtime.configuration import canonical, replaced
from taxohash.training.config import HasherConfig
from tests.support.generations import BITS, TAXONOMY, make_generation

DAY = 86_400.0
SINCE = 1_700_000_000.0
COLLECTION = "nights"
ITEMS = 8
LARGE = b"x" * 20_000  # what a training and an output leave


class Clock:
    """A time that is set, for the store in memory too."""

    def __init__(self) -> None:
        self.now = SINCE

    def __call__(self) -> float:
        return self.now

    time = __call__

    def time_ns(self) -> int:
        return int(self.now * 1e9)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@dataclass
class Nights:
    """A home and a store in which runs take place one night after the other.

    Attributes:
        verdicts: what came of each run, as it was planned.
        moves: generations in the order in which they were published.
    """

    home: Path
    store: CodeStore
    files: GenerationFiles
    clock: Clock
    collection: str = COLLECTION
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    moves: list[str] = field(default_factory=list)
    number: int = 0
    _version: str = ""

    def prune(self, **asked: Any) -> Pruned:
        """What the command does."""
        return self.pruning(**asked).applied()

    def pruning(self, **asked: Any) -> Pruning:
        """What the command does it with."""
        return Pruning(self.home, store=lambda: nullcontext(self.store), clock=self.clock, **asked)

    def night(self, verdict: Verdict, *, same: bool = False, pipeline: str = "retrain") -> str:
        """One run that comes to a verdict; its name. FAILED is killed while it seals, INTERRUPTED while it trains.

        Args:
            same: nothing has changed since the last: the same training, which the cache answers for, and the same generation.
        """
        self.clock.now += DAY
        began = time.time()
        self.number += not same
        name = f"{pipeline}-{self.clock.now:.0f}"
        record, seed = Record(self.home, name), self.number
        config = canonical(replaced(HasherConfig(), {"training.seed": seed}))
        md5 = self._data(changed=not same and seed % 3 == 1)
        record.note("begun", pipeline=pipeline, collection=self.collection, time=self.clock.now)
        write_json(
            record.folder / PARAMETERS, {"pipeline": pipeline, "parameters": {"run": name, "config": config}}
        )
        record.note("data", md5=md5, changes={})
        champion = self.store.published(self.collection)
        record.note("champion", id=champion.id if champion else "")
        write_text(record.folder / "log.txt", "a line\n" * 500)
        write_text(
            record.folder / "events.jsonl",
            json.dumps({"step": "train", "kind": "started", "time": 1.0}) + "\n",
        )
        output = self._outputs(name, md5, trained=not same, ended=verdict is not Verdict.INTERRUPTED)
        if verdict is Verdict.INTERRUPTED:
            (self.home / "generations").mkdir(exist_ok=True)
            (self.home / "generations" / f".draft-{name}").mkdir()
            (self.home / "generations" / f".draft-{name}" / "codes.npy").write_bytes(LARGE)
        else:
            record.note("judgement", report=str(output / "evaluate" / "evaluated" / "report.html"))
            if verdict is not Verdict.REFUSED or pipeline == "reindex":
                self._generation(record, md5, verdict)
        if verdict in (Verdict.PUBLISHED, Verdict.AWAITING, Verdict.REFUSED):
            record.note("ended", verdict=verdict, reason="as planned")
        if verdict is not Verdict.INTERRUPTED:
            write_text(record.folder / f"{OUTCOME}.json", outcome(record, []).to_json())
        self.verdicts[name] = verdict
        self._age(began)
        return name

    def approve(self, run: str) -> None:
        """Publish what awaits it."""
        self._publish(self.made[run], "a person")

    def _publish(self, generation: str, who: str) -> None:
        self.store.publish(self.collection, generation, who=who, why="as planned")
        self.moves.append(generation)

    def _data(self, changed: bool) -> str:
        """A data version as `pull` leaves it: one file is that of the version before, one is new."""
        home = self.home / "versions"
        if self._version and not changed:
            (home / self._version.removesuffix(".dir")).touch()
            return self._version
        contents = {"taxonomy.json": b"the same for ever", "train.parquet": str(self.number).encode() * 2000}
        files = {path: hashlib.md5(data).hexdigest() for path, data in contents.items()}
        self._version = listing_md5(files)
        listing = json.dumps(
            [{"md5": digest, "relpath": path} for path, digest in sorted(files.items())]
        ).encode()
        folder = home / self._version.removesuffix(".dir")
        folder.mkdir(parents=True)
        for digest, data in (
            (self._version, listing),
            *((digest, contents[path]) for path, digest in files.items()),
        ):
            file = home / object_name(digest)
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.write_bytes(data)
        for path, digest in files.items():
            os.link(home / object_name(digest), folder / path)
        return self._version

    def _outputs(self, name: str, md5: str, *, trained: bool, ended: bool) -> Path:
        """The training, and what the local runner leaves; where the report of the evaluation is, be it of an earlier run."""
        jobs = self.home / "pipeline"
        stamp = time.strftime("%Y-%m-%d-%H-%M-%S", time.gmtime(self.clock.now))
        job = jobs / f"taxohash-{name.partition('-')[0]}-{stamp}-{self.number:06d}"
        write_json(job / "begin" / "executor_output.json", {"parameterValues": {"Output": name}})
        training = run_folder(
            str(self.home), md5, replaced(HasherConfig(), {"training.seed": self.number}).completed()
        )
        training.mkdir(parents=True, exist_ok=True)
        training.with_name(f".{training.name}.lock").touch()
        if not trained:
            return max((other for other in jobs.iterdir() if (other / "evaluate").exists()), key=_stamp)
        (training / "weights.safetensors").write_bytes(LARGE)
        for part in (
            "train/run/weights.safetensors",
            "evaluate/evaluated/report.html",
            "export/draft/hasher.onnx",
        ):
            if ended or part.startswith("train"):
                (job / part).parent.mkdir(parents=True)
                (job / part).write_bytes(LARGE)
        for step, answer in (
            ("check", {"Output": "ok"}),
            ("train", {"run": {"__kfp_artifact__": True, "uri": str(job / "train" / "run")}}),
            (
                "evaluate",
                {"evaluated": {"__kfp_artifact__": True, "uri": str(job / "evaluate" / "evaluated")}},
            ),
        ):
            key = hashlib.sha256(f"{step} {name}".encode()).hexdigest()
            write_json(self.home / "cache" / f"{key}.json", answer)
        return job

    def _generation(self, record: Record, md5: str, verdict: Verdict) -> None:
        """Made, put where services look, and told to the store as far as the run came."""
        drafted = self.home / "generations" / "draft"
        found = make_generation(drafted, self.number)
        found = replace(found, dataset_md5=md5, files={}).write(drafted)
        folder = drafted.with_name(found.id)
        if folder.exists():
            for file in drafted.iterdir():
                file.unlink()
            drafted.rmdir()
        else:
            drafted.rename(folder)
        self.files.put(folder)
        record.note("generation", id=found.id, place=f"{self.files.address}/{found.id}")
        self.made[record.folder.name] = found.id
        if verdict is Verdict.REFUSED:
            return
        if found.id in {state.ref.id for state in self.store.generations(self.collection)}:
            if verdict is Verdict.PUBLISHED and self.store.history(self.collection)[:1] != [found.id]:
                self.store.seal(self.collection, found.id)
                self._publish(found.id, f"pipeline {record.folder.name}")
            return
        items = [Item(f"item {(self.number + number) % 50}") for number in range(ITEMS)]
        codes = np.zeros((ITEMS, (BITS + 7) // 8), np.uint8)
        self.store.begin(self.collection, GenerationRef(found.id, BITS, TAXONOMY.sha256))
        self.store.fill(self.collection, found.id, items, codes)
        if verdict is Verdict.FAILED:
            return
        self.store.seal(self.collection, found.id)
        if verdict is Verdict.PUBLISHED:
            self._publish(found.id, f"pipeline {record.folder.name}")
            self.store.gc(self.collection, who=f"pipeline {record.folder.name}")

    def _age(self, began: float) -> None:
        """What was written since then is of this night."""
        roots = [self.home, *([self.files.folder] if self.files.folder else [])]
        for root in roots:
            for folder, _, names in os.walk(root):
                for path in (folder, *(os.path.join(folder, name) for name in names)):
                    if os.lstat(path).st_mtime > began - 2.0:
                        os.utime(path, (self.clock.now, self.clock.now))


def _stamp(output: Path) -> str:
    return output.name.partition("-")[2].partition("-")[2]


@contextmanager
def nights(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Nights]:
    """A home without runs, a store in memory, and a folder where services find generations."""
    clock = Clock()
    monkeypatch.setattr(memory, "time", clock)
    monkeypatch.setattr(os, "fsync", lambda _handle: None)  # no power cut: it is most of what a night takes
    (folder / "home").mkdir()
    (folder / "served").mkdir()
    monkeypatch.setenv("TAXOHASH_GENERATIONS", str(folder / "served"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with CodeStore.connect("memory://") as store:
        store.create(COLLECTION, TAXONOMY, 2)
        yield Nights(folder / "home", store, GenerationFiles.open(folder / "served"), clock)


def verdicts(seed: int) -> Callable[[], Verdict]:
    """One after the other, in shares as of a product that is retrained each night."""
    random = Random(seed)
    shares = {
        Verdict.PUBLISHED: 40,
        Verdict.AWAITING: 10,
        Verdict.REFUSED: 30,
        Verdict.FAILED: 10,
        Verdict.INTERRUPTED: 10,
    }
    return lambda: random.choices([*shares], [*shares.values()])[0]


def size(*folders: Path) -> int:
    """Bytes of all files below folders, those with several names once."""
    found = {}
    for root in folders:
        for folder, _, names in os.walk(root):
            for name in names:
                told = os.lstat(os.path.join(folder, name))
                found[told.st_ino] = told.st_size
    return sum(found.values())
