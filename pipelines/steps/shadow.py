"""What the generation that was made would change in place of the champion: for those who approve it, before anybody gets it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.shared.record import Record
from pipelines.shared.step import step
from pipelines.steps.champion import QUERIES
from services.codestore.sampled import SampledQueries
from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.datasets.splits import CANARY
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import announce

if TYPE_CHECKING:
    from taxohash.release.compare import Rows
    from taxohash.release.query_sets import QuerySet

MOST = 1000  # of what was sampled lately
SAMPLED = "sampled"


@step("shadow")
def compare(
    champion: str,
    generation_id: str,
    data: str,
    collection: str,
    generations: str,
    work: str,
    run: str,
    out: str,
    address: str,
    page: str,
) -> None:
    """Ask the champion and the new generation the same pictures: the data's queries, canaries, and what was really asked lately.

    Where there is no champion, nothing is compared. Comparison.html and comparison.json go to `out`, whose `address` the run remembers with the
    sentence that says it; the page goes to `page` as well.
    """
    record = Record(work, run)
    Path(out).mkdir(parents=True, exist_ok=True)
    if not champion:
        record.note("comparison", would_change="", page="")
        Path(page).write_text("nothing is published: there is nothing to compare with", encoding="utf-8")
        return
    from taxohash.generation.hasher import Hasher
    from taxohash.release.comparison import comparison
    from taxohash.release.comparison_page import PAGE, write_comparison
    from taxohash.release.query_sets import pictures_of, query_sets
    from taxohash.release.shadow import shadow

    before, after = (
        Hasher(Path(generations) / name, threads=os.cpu_count() or 1) for name in (champion, generation_id)
    )
    dataset = Dataset.open(data)
    ids = item_ids(dataset)
    splits = [split for split in (QUERIES, CANARY) if split in dataset.splits and dataset.count(split)]
    sampled, why = _sampled(collection)
    sets = [*query_sets(dataset, ids, splits, after), *([sampled] if sampled else [])]
    notes = [] if sampled else [f"No real queries were asked: {why}."]
    found = shadow(before, after, sets, most=MOST, notes=notes)
    told = comparison(found)
    file = write_comparison(out, told, found, pictures_of(dataset, ids))
    Path(page).write_bytes(file.read_bytes())
    record.note("comparison", would_change=told.said, page=f"{address}/{PAGE}")
    announce(f"comparison: {address}/{PAGE}")
    announce(told.said)
    for note in notes:
        announce(note)


def _sampled(collection: str) -> "tuple[QuerySet | None, str]":
    """What was searched for lately in a collection; else None, and why there is nothing: a run does not fail for it.

    These pictures are bounded in time and go with a deleted item; a page that is kept names them, and does not show them.
    """
    from taxohash.release.query_sets import QuerySet

    try:
        place = SampledQueries.from_environment(collection)
        kept = place.kept()[-MOST:]
    except TaxohashError as error:
        return None, f"the store of pictures does not tell what was sampled ({error})"
    if not kept:
        return None, f"none are kept in {place.address}"

    def pictures(rows: "Rows") -> Iterator[bytes | None]:
        for row in rows:
            query = place.read(kept[row])
            yield query.picture if query else None

    return QuerySet(SAMPLED, [one.name for one in kept], pictures, are_shown=False), ""
