"""What the steps do that only the reindexing pipeline has, see pipelines.steps."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.shared.preflight import preflight
from pipelines.shared.step import step
from pipelines.steps.champion import DATABASE, QUERIES
from services.codestore.own import code_store
from taxohash.datasets import Dataset
from taxohash.datasets.splits import indexed_splits, listed
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import read_report
from taxohash.release.recall import Catalogue, canary_codes
from taxohash.release.reindexing import Policy
from taxohash.runtime.atomic import write_json
from taxohash.runtime.configuration import parse, plain

if TYPE_CHECKING:
    from taxohash.generation.hasher import Hasher


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
    """Judge the champion's codes of the new data version by those of its own; the judgement as JSON into `out`."""
    from taxohash.generation.hasher import Hasher
    from taxohash.release.reindexing import judge

    said = parse(Policy, policy)
    before, after = (Hasher(Path(generations) / name) for name in (champion, generation_id))
    judgement = judge(
        _catalogue(before),
        _catalogue(after),
        canary_codes(after),
        after.bits,
        said,
    )
    write_json(Path(out), plain(judgement))


def _catalogue(hasher: "Hasher") -> Catalogue:
    return Catalogue(
        hasher.ids, hasher.labels, hasher.taxonomy.paths, hasher.codes, hasher.generation.bit_health
    )
