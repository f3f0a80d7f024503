"""The generation that is served when a run begins: who it is, how it does on the run's data, what has changed since its own."""

from pathlib import Path

from pipelines.shared.generations import bring
from pipelines.shared.record import Record
from pipelines.shared.step import step
from services.codestore.own import code_store
from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.datasets.splits import indexed_splits
from taxohash.evaluation.report.read import REPORT
from taxohash.generation.hasher import Hasher
from taxohash.release.changes import changes, labelled
from taxohash.runtime.atomic import write_json

DATABASE, QUERIES = "train", "test"


@step("champion")
def resolve(work: str, run: str, data: str, dataset_md5: str, collection: str, generations: str) -> str:
    """The id of the published generation, which is at hand afterwards; empty where nothing is published."""
    record = Record(work, run)
    with code_store() as store:
        published = store.published(collection) if store.exists(collection) else None
    champion = _replaced(record, published.id if published else "")
    if not champion:
        record.note("champion", id="", data_md5="")
        record.note("data", md5=dataset_md5, changes={})
        return ""
    bring(champion, Path(generations))
    hasher = Hasher(Path(generations) / champion)
    record.note("champion", id=champion, data_md5=hasher.generation.dataset_md5)
    record.note("data", md5=dataset_md5, changes=_changes(hasher, Dataset.open(data)))
    return champion


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
    provenance = {"queries": QUERIES, "database": DATABASE, "dataset_md5": Dataset.open(data).md5()}
    write_json(Path(out) / REPORT, report.as_dict() | {"provenance": provenance})
    save_scores(out, report.scores)
    return report.headline


def _replaced(record: Record, published: str) -> str:
    """The champion of this run: what is published, or what that replaced where it is this very run that published it, in an attempt
    that was interrupted afterwards."""
    own = published and published == record.noted("generation").get("id")
    return str(record.noted("champion").get("id", "")) if own else published


def _changes(hasher: Hasher, dataset: Dataset) -> dict[str, int]:
    """Of the items whose codes a generation was made with, those of a data set, but for the canaries."""
    ids, indexed = item_ids(dataset), indexed_splits(dataset)
    found = changes(
        labelled(hasher.ids, hasher.labels, hasher.taxonomy.paths),
        labelled(
            [item for split in indexed for item in ids[split]],
            [own for split in indexed for own in dataset.item_labels(split)],
            dataset.taxonomy.paths,
        ),
    )
    return {"added": found.added, "removed": found.removed, "relabelled": found.relabelled}
