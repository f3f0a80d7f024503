"""The main job on one machine: data, code store, retraining pipeline, Bento, service, one search.

Everything it makes lies in one directory and is used again by the next run where it is still valid.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from pipelines.data import obtain
from pipelines.demo.log import last_of, lines_of
from pipelines.runners import local
from pipelines.runners.parameters import RETRAIN, new_name
from pipelines.shared.events import Event
from services import settings
from services.codestore import CodeStore, EmbeddedServer
from services.processes import running
from services.runs import Verdict
from taxohash import client
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.generation.manifest import Generation
from taxohash.runtime.atomic import replacing, writable
from taxohash.runtime.configuration import canonical, replaced
from taxohash.runtime.flags import Parser
from taxohash.runtime.progress import console
from taxohash.runtime.terminal import printable
from taxohash.training.config import HasherConfig

COLLECTION = settings.COLLECTION.default
ANSWERS = 10


class Stopwatch:
    """Seconds of each step, told as each one ends."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        say(f"{name} ...")
        started = time.perf_counter()
        yield
        self.ended(name, time.perf_counter() - started)

    def ended(self, name: str, seconds: float, note: str = "") -> None:
        self.seconds[name] = round(seconds, 2)
        say(f"{name}: {seconds:.1f} s{note}")


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="python -m pipelines.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="answer one search, stop, print one JSON object")
    parser.add_argument("--port", type=int, help="of the service; 3000, or a free one with --once")
    parser.add_argument("--data", type=Path, help="data set folder; the one that data.dvc names if left out")
    parser.add_argument("--home", type=Path, default=Path(".demo"), help="where everything it makes lies")
    parser.add_argument("--epochs", type=int, help="of training")
    chosen = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    watch = Stopwatch()
    begun = time.perf_counter()
    try:
        with ExitStack() as stack:
            with watch.step("data"):
                dataset = Dataset.open(chosen.data) if chosen.data else obtain()
            with watch.step("code store"):
                store = stack.enter_context(EmbeddedServer(chosen.home / "redis"))
            demo = Demo(chosen.home, dataset, store.url, watch)
            demo.retrain(chosen.epochs)
            port = chosen.port if chosen.port is not None else 0 if chosen.once else 3000
            url, service = demo.serve(stack, port)
            answer = demo.search(url)
            watch.ended("total", time.perf_counter() - begun)
            if not chosen.once:
                say(f"open {url} : {demo.codes:,} images, generation {demo.generation.id}; Ctrl-C stops")
                for line in service:
                    say(line.rstrip())
                raise TaxohashError("the service ended by itself: see the lines above")
        print(json.dumps(demo.result(answer)), flush=True)
    except TaxohashError as error:
        print(f"demo: {printable(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say("stopped; the next run goes on from here")
        return 130 if chosen.once else 0
    return 0


class Demo:
    """The steps after data and code store are there."""

    generation: Generation
    codes: int

    def __init__(self, home: Path, dataset: Dataset, store_url: str, watch: Stopwatch) -> None:
        self.home = home
        self._dataset = dataset
        self._store_url = store_url
        self._watch = watch
        self._since: dict[str, float] = {}
        self._environment = {
            **os.environ,
            settings.REDIS_URL.name: store_url,
            settings.COLLECTION.name: COLLECTION,
            settings.GENERATIONS.name: str(writable(home / "generations").resolve()),
            settings.PICTURES.name: str(writable(home / "pictures").resolve()),
            "PYTHONWARNINGS": "ignore",
        }

    def retrain(self, epochs: int | None) -> None:
        """Run the pipeline; afterwards `generation` is the published one.

        Raises:
            TaxohashError: a step failed, or the gate refused and nothing is published.
        """
        config = replaced(HasherConfig(), {"training.epochs": epochs} if epochs else {})
        parameters = {
            "run": new_name(RETRAIN),
            "collection": COLLECTION,
            "config": canonical(config),
            **local.place(self.home, self._dataset.folder),
        }
        with self._watch.step("pipeline"):
            outcome = local.run(
                RETRAIN, parameters, self._told, lambda text: say(f"  {text}"), self._environment
            )
        if outcome.verdict is Verdict.INTERRUPTED:
            raise KeyboardInterrupt
        if outcome.verdict is Verdict.FAILED:
            raise TaxohashError(outcome.reason)
        with CodeStore.connect(self._store_url) as store:
            published = store.published(COLLECTION)
            if published is None:
                raise TaxohashError(f"the gate refused the first generation: {outcome.reason}")
            self.codes = store.count(COLLECTION, published.id)
        self.generation = Generation.load(self.home / "generations" / published.id)

    def _told(self, event: Event) -> None:
        if event.kind == "started":
            self._since[event.step] = event.time
        else:
            self._watch.ended(event.step, event.time - self._since[event.step])

    def serve(self, stack: ExitStack, port: int) -> tuple[str, Iterator[str]]:
        """Build the Bento and serve it until `stack` closes; its address, and the lines it goes on to print."""
        bentos = ("--bento-home", str(self.home / "bento"))
        with self._watch.step("bento"):
            folder = self.home / "generations" / self.generation.id
            # Here kernels are compiled for this machine, and kept: packing them for others takes longer than the demo.
            options = (*bentos, "--kernels", "none")
            with self._running("services.retrieval.bento.build", str(folder), *options) as process:
                said = list(lines_of(process))
                if process.wait():
                    raise TaxohashError(f"the Bento was not built: {last_of(said)}")
            tag = last_of(said)
        with self._watch.step("serve"):
            process = stack.enter_context(
                self._running("services.retrieval.server.main", tag, "--port", str(port), *bentos)
            )
            lines, said = lines_of(process), []
            for line in lines:
                said.append(line)
                if match := re.match(r"serving (http\S+)", line):
                    return match[1], lines
        raise TaxohashError(f"the service did not start: {last_of(said)}")

    def search(self, url: str) -> dict[str, Any]:
        """The service's answer to the first of the queries that the hasher was evaluated with."""
        with self._watch.step("search"):
            picture, split = self.home / "query.png", self.generation.evaluation["queries"]
            with replacing(picture) as draft:
                draft.write_bytes(next(self._dataset.images(split, [0])))
            answer = client.search(url, picture, k=ANSWERS)
        say(f"searched with the first image of {split}; it is indexed too and lies at distance 0 from itself")
        return answer

    def result(self, answer: dict[str, Any]) -> dict[str, Any]:
        """What `--once` prints."""
        headline = self.generation.evaluation["headline"]
        return {
            "seconds": self._watch.seconds,
            "dataset_md5": self.generation.dataset_md5,
            "generation": self.generation.id,
            **{name: round(value, 4) for name, value in headline.items()},
            "codes": self.codes,
            "answer": answer,
        }

    @contextmanager
    def _running(self, module: str, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
        with running([sys.executable, "-m", module, *arguments], self._environment) as process:
            yield process


def say(text: str) -> None:
    """A line for the person who watches, on standard error."""
    console.print(text, soft_wrap=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
