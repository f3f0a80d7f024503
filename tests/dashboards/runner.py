"""A stand-in for `taxohash pipeline` that is done in half a minute: it trains a little and judges by one floor.

The data are pulled, a generation is made, sealed and published, and the outcome printed as the pipelines do it. A new data version is
reindexed for approval only, and a look for drift finds too few queries.

python -m tests.dashboards.runner run retrain|reindex|drift --repository R --revision R --remote R --home F --collection C --run N --json
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import taxohash
from pipelines.shared import versions
from pipelines.steps.index import index
from services.codestore.generation_files import GenerationFiles
from services.codestore.own import code_store
from services.codestore.pictures import Pictures
from services.runs import EXIT_CODES, Outcome, Verdict
from taxohash.datasets import Dataset
from taxohash.release.judging import Compared

_HASHER: dict[str, Any] = {
    "objective": "csq",
    "bits": 64,
    "epochs": 3,
    "network": "small-resnet",
    "batch": 32,
}
_FLOOR = 0.3
_WIDTH = 0.03  # of the interval that is told
_WAIT = 300.0  # seconds for the backfill of what visitors put


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["run"])
    parser.add_argument("pipeline", choices=["retrain", "reindex", "drift"])
    for name in ("repository", "revision", "remote", "home", "collection", "run"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--json", action="store_true")
    outcome = run(parser.parse_args())
    print(outcome.to_json())
    return EXIT_CODES[outcome.verdict]


def run(given: argparse.Namespace) -> Outcome:
    seconds: dict[str, float] = {}
    told = Outcome(
        run=given.run,
        pipeline=given.pipeline,
        collection=given.collection,
        verdict=Verdict.TOO_FEW,
        reason="nobody looked",
        started=time.time(),
    )
    if given.pipeline == "drift":
        return told
    with _timed(seconds, "data"):
        md5 = versions.resolve(given.repository, given.revision)
        dataset = Dataset.open(versions.pull(md5, given.remote, Path(given.home) / "versions"))
    told = replace(told, data_md5=md5, seconds=dict(seconds))
    if given.pipeline == "reindex":
        return replace(told, verdict=Verdict.AWAITING, reason="a reindexed generation awaits approval")
    folder = Path(given.home) / "drafts" / given.run
    with _timed(seconds, "train"):
        trained = taxohash.train(dataset, folder / "run", **_HASHER)
    with _timed(seconds, "evaluate"):
        headline = taxohash.evaluate(trained).headline
    compared = tuple(_compared(name, value) for name, value in headline.items())
    with _timed(seconds, "export"):
        made = taxohash.export(trained, folder / "generations")
    told = replace(told, against="floor", compared=compared, generation=made.name)
    with _timed(seconds, "publish"):
        publish(made, dataset, given)
    return replace(told, verdict=Verdict.PUBLISHED, reason="it is above its floors", seconds=seconds)


def publish(made: Path, dataset: Dataset, given: argparse.Namespace) -> None:
    """Put a generation where the services look, fill the code store, and move the pointer."""
    files = GenerationFiles.named()
    assert files
    files.put(made)
    hasher = taxohash.load_generation(made)
    with code_store() as store:
        pictures = Pictures.from_environment()
        index(store, pictures, given.collection, hasher.generation, dataset, hasher.codes)
        store.publish(given.collection, made.name, who=given.run, wait=_WAIT)


def _compared(metric: str, value: float) -> Compared:
    over = value - _FLOOR
    return Compared(
        metric=metric, value=value, bound=_FLOOR, difference=over, low=over - _WIDTH, high=over + _WIDTH
    )


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    seconds[step] = time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main())
