"""The generation that is served when a run begins: who it is, how it does on the run's data, what has changed since its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.shared.generations import bring
from pipelines.shared.record import Record
from pipelines.shared.step import step
from services.codestore.own import code_store
from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.evaluation.report.read import REPORT
from taxohash.generation.hasher import Hasher
from taxohash.runtime.atomic import write_json

DATABASE, QUERIES = "train", "test"


@step("champion")
def resolve(work: str, run: str, data: str, dataset_md5: str, collection: str, generations: str) -> str:
    """The id of the published generation, which is at hand afterwards; empty where nothing is published."""
    record = Record(work, run)
    with code_store() as store:
        published = store.published(collection) if store.exists(collection) else None
    if published is None:
        record.note("champion", id="")
        record.note("data", md5=dataset_md5, changes={})
        return ""
    bring(published.id, Path(generations))
    hasher = Hasher(Path(generations) / published.id)
    record.note("champion", id=published.id)
    record.note("data", md5=dataset_md5, changes=changes(_found(hasher), _has(Dataset.open(data))))
    return published.id


@step("compare")
def evaluate(champion: str, data: str, generations: str, out: str) -> dict[str, float]:
    """Evaluate the champion with the data's queries, graded by the data's tree: report and scores into `out`; its headline metrics.

    Where there is no champion, nothing is written and there are none.
    """
    Path(out).mkdir(parents=True, exist_ok=True)
    if not champion:
        return {}
    from taxohash.evaluation.run import evaluate_generation
    from taxohash.evaluation.scores import save_scores

    report = evaluate_generation(Path(generations) / champion, data, None, DATABASE, QUERIES)
    write_json(
        Path(out) / REPORT, report.as_dict() | {"provenance": {"queries": QUERIES, "database": DATABASE}}
    )
    save_scores(out, report.scores)
    return report.headline


Labelled = Mapping[str, frozenset[tuple[str, ...]]]


def changes(before: Labelled, after: Labelled) -> dict[str, int]:
    """How many items are added, removed and relabelled, from the label paths of each item before and after."""
    both = before.keys() & after.keys()
    return {
        "added": len(after.keys() - both),
        "removed": len(before.keys() - both),
        "relabelled": sum(before[item] != after[item] for item in both),
    }


def _found(hasher: Hasher) -> Labelled:
    """The items whose codes a generation was made with."""
    return _labelled(hasher.ids, hasher.labels, hasher.taxonomy.paths)


def _has(dataset: Dataset) -> Labelled:
    """The items of a data set, but for the canaries."""
    from taxohash.datasets.splits import indexed_splits

    ids, indexed = item_ids(dataset), indexed_splits(dataset)
    return _labelled(
        [item for split in indexed for item in ids[split]],
        [own for split in indexed for own in dataset.item_labels(split)],
        dataset.taxonomy.paths,
    )


def _labelled(ids: Sequence[str], labels: Sequence[Sequence[int]], paths: Sequence[Any]) -> Labelled:
    return {
        item: frozenset(tuple(paths[label]) for label in own) for item, own in zip(ids, labels, strict=True)
    }
