"""What the steps do that only the drift pipeline has, see pipelines.steps."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.drift import gather
from pipelines.shared.generations import bring
from pipelines.shared.record import Record
from pipelines.shared.step import step
from services.codestore.own import code_store
from services.codestore.sampled import SampledQueries
from services.runs import Verdict
from taxohash.drift.judge import Finding, Judgement, Seen, judge
from taxohash.drift.policy import Policy
from taxohash.errors import TaxohashError
from taxohash.generation.reference import Reference
from taxohash.release.judging import Compared
from taxohash.runtime.configuration import parse, plain
from taxohash.runtime.progress import announce

if TYPE_CHECKING:
    from taxohash.generation.hasher import Hasher

HOUR = 3600.0
VERDICTS = {"drifted": Verdict.DRIFTED, "steady": Verdict.STEADY, "too few": Verdict.TOO_FEW}


@step("served")
def served(work: str, run: str, collection: str, generations: str, policy: str) -> str:
    """The id of the published generation, which is at hand afterwards."""
    parse(Policy, policy)
    with code_store() as store:
        published = store.published(collection) if store.exists(collection) else None
    if published is None:
        raise TaxohashError(
            f"collection {collection!r} has nothing published: run the pipeline retrain first"
        )
    bring(published.id, Path(generations))
    Record(work, run).note("champion", id=published.id)
    return published.id


@step("check")
def check(
    generation_id: str,
    collection: str,
    generations: str,
    policy: str,
    work: str,
    run: str,
    out: str,
    address: str,
) -> dict[str, float]:
    """Judge what was asked and stored lately; report.html and report.json into the folder `out`, which others find at `address`; every
    statistic by its name."""
    from taxohash.drift.report.write import PAGE, write_report  # draws
    from taxohash.generation.hasher import Hasher

    said, now, record = parse(Policy, policy), time.time(), Record(work, run)
    hasher = Hasher(Path(generations) / generation_id)
    reference = reference_of(hasher)
    since = now - said.hours * HOUR
    with code_store() as store:
        asked = gather.asked(
            SampledQueries.from_environment(collection), hasher, since, now, said.queries_most
        )
        stored = gather.stored(store, collection, hasher, since, said.items_most)
        recall = gather.recall_now(store, collection, hasher) if reference.canaries is not None else None
    seen = Seen(
        asked.sample, stored.sample, recall, hasher.taxonomy.levels, gather.top_names(hasher.taxonomy)
    )
    judgement = judge(reference, seen, said)
    record.note("data", md5=hasher.generation.dataset_md5)
    write_report(
        out,
        judgement,
        reference,
        seen,
        said,
        counts={"queries": asked.counts, "items": stored.counts},
        provenance={
            "collection": collection,
            "generation": generation_id,
            "dataset_md5": hasher.generation.dataset_md5,
            "since": _utc(since),
            "until": _utc(now),
            "run": record.folder.name,
        },
    )
    report = f"{address}/{PAGE}"
    record.note(
        "judgement", report=report, against="reference", compared=[plain(_compared(one)) for one in judgement.findings]
    )  # fmt: skip
    record.note("ended", verdict=VERDICTS[judgement.verdict], reason=judgement.reason)
    _tell(judgement, report)
    return {one.name: one.value for one in judgement.findings}


def reference_of(hasher: "Hasher") -> Reference:
    """What drift from a generation is measured against; of an older one the distances of its queries alone.

    Raises:
        TaxohashError: it tells nothing of its queries.
    """
    if found := Reference.known(hasher.folder, hasher.generation):
        return found
    raise TaxohashError(
        f"generation {hasher.generation.id} tells nothing of its queries: publish one that was built since, by the pipeline retrain or reindex"
    )


def _compared(one: Finding) -> Compared:
    """A statistic against the bound beyond which it raises an alarm."""
    over = one.value - one.bound
    return Compared(metric=one.name, value=one.value, bound=one.bound, difference=over, low=over, high=over)


def _tell(judgement: Judgement, report: str) -> None:
    announce(f"report: {report}")
    for line in judgement.left_out:
        announce(f"not looked at: {line}")
    announce(f"{judgement.verdict}: {judgement.reason}")


def _utc(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(when))
