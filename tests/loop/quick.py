"""A stand-in for `taxohash pipeline` that is done in a second: instead of training, a hasher is a random projection.

Everything around it is as it is: the data are resolved and pulled, a generation is made, sealed and published, and the outcome is
printed. A new data version is reindexed for approval only; one whose labels say nothing of its pictures is refused.

python -m tests.loop.quick run retrain|reindex --repository R --revision R --remote R --home F --collection C --run N --json
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.shared import versions
from pipelines.shared.notify import notify
from pipelines.steps.index import index
from services.codestore.generation_files import GenerationFiles
from services.codestore.own import code_store
from services.codestore.pictures import Pictures
from services.runs import EXIT_CODES, Outcome, Verdict
from taxohash.codes import Codes
from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.generation.hasher import CODES, ITEMS, Hasher
from taxohash.generation.manifest import Generation
from taxohash.hamming import HammingIndex
from taxohash.images import decode
from taxohash.release.build import canaries_of
from taxohash.release.judging import Compared
from tests.support.generations import make_generation

BITS = 32
_LEAST = 0.5  # of the queries must have an item of their label nearest
DATABASE, QUERIES = "train", "test"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["run"])
    parser.add_argument("pipeline", choices=["retrain", "reindex"])
    for name in ("repository", "revision", "remote", "home", "collection", "run"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--json", action="store_true")
    outcome = run(parser.parse_args())
    notify(outcome)
    print(outcome.to_json())
    return EXIT_CODES[outcome.verdict]


def run(given: argparse.Namespace) -> Outcome:
    begun, home = time.time(), Path(given.home)
    md5 = versions.resolve(given.repository, given.revision)
    dataset = Dataset.open(versions.pull(md5, given.remote, home / "versions"))
    made = Outcome(
        run=given.run,
        pipeline=given.pipeline,
        collection=given.collection,
        verdict=Verdict.AWAITING,
        reason="a reindexed generation awaits approval",
        started=begun,
        data_md5=md5,
    )
    if given.pipeline == "reindex":
        return made
    generation, right = generation_of(dataset, home / "drafts" / given.run)
    over = right - _LEAST
    compared = Compared(
        metric="nearest is right", value=right, bound=_LEAST, difference=over, low=over, high=over
    )
    made = replace(made, generation=generation.id, compared=(compared,))
    if right < _LEAST:
        return replace(
            made,
            verdict=Verdict.REFUSED,
            reason=f"only {right:.0%} of the nearest items are of the query's label",
        )
    publish(generation, home / "drafts" / given.run, dataset, given)
    return replace(
        made, verdict=Verdict.PUBLISHED, reason=f"{right:.0%} of the nearest items are of the query's label"
    )


def generation_of(dataset: Dataset, folder: Path) -> tuple[Generation, float]:
    """A generation with the codes of a data set, and the share of its queries whose nearest item has their label."""
    base = make_generation(folder, seed=int(dataset.md5()[:8], 16), bits=BITS)
    dataset.taxonomy.save(folder / "taxonomy.json")
    hasher = make_hasher(folder, replace(base, taxonomy_sha256=dataset.taxonomy.sha256))
    codes, asked = (codes_of(hasher, dataset, split) for split in (DATABASE, QUERIES))
    np.save(folder / CODES, codes)
    items = {"ids": item_ids(dataset)[DATABASE], "labels": dataset.item_labels(DATABASE)}
    (folder / ITEMS).write_text(json.dumps(items))
    if canaries := canaries_of(dataset):
        canaries.save(folder)
    distances, rows = HammingIndex.build(codes, BITS).search(asked, k=1)
    right = dataset.labels(DATABASE)[rows[:, 0]] == dataset.labels(QUERIES)
    generation = replace(
        base,
        taxonomy_sha256=dataset.taxonomy.sha256,
        dataset_md5=dataset.md5(),
        reference={"nearest_distance": np.bincount(distances[:, 0], minlength=BITS + 1).tolist()},
        database=[{"split": DATABASE, "rows": len(codes)}],
    ).write(folder)
    return generation, float(right.mean())


def make_hasher(folder: Path, manifest: Generation) -> Hasher:
    manifest.write(folder)
    return Hasher(folder)


def codes_of(hasher: Hasher, dataset: Dataset, split: str) -> Codes:
    return hasher.encode(decode(data) for data in dataset.images(split))


def publish(generation: Generation, folder: Path, dataset: Dataset, given: argparse.Namespace) -> None:
    files = GenerationFiles.named()
    assert files
    named = folder.with_name(generation.id)
    folder.rename(named)
    files.put(named)
    with code_store() as store:
        index(store, Pictures.from_environment(), given.collection, generation, dataset, Hasher(named).codes)
        store.publish(given.collection, generation.id, who=given.run)


if __name__ == "__main__":
    sys.exit(main())
