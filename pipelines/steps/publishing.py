"""From a generation to what is served: sealed in the code store, filled, published or left to be approved, and the old ones removed."""

from pathlib import Path

import numpy as np

from pipelines.shared.record import Record
from pipelines.shared.step import step
from pipelines.steps.index import index
from pipelines.steps.origin import origin
from services.codestore import CodeStore
from services.codestore.generation_files import GenerationFiles
from services.codestore.own import code_store
from services.lineage import note_origin
from services.runs import Verdict
from taxohash.datasets import Dataset
from taxohash.datasets.identity import tracked, tracked_md5
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import CODES
from taxohash.generation.manifest import Generation
from taxohash.runtime.progress import announce


@step("seal")
def seal(
    generation_id: str,
    data: str,
    collection: str,
    generations: str,
    work: str,
    run: str,
    image: str = "",
    config: str = "",
) -> int:
    """Put the data set's items with the generation's codes into the code store, as a sealed generation, and where it comes from; the
    number of codes.

    Repeating it changes nothing, and nothing that is served changes.

    Args:
        image: in which the steps run.
        config: of the hasher, as JSON; empty where this run did not train it.
    """
    from services.codestore.pictures import Pictures

    folder = Path(generations) / generation_id
    generation, dataset = Generation.load(folder), Dataset.open(data)
    files = tracked(dataset.folder)
    _require_database(generation, dataset, tracked_md5(files))
    codes = np.load(folder / CODES, allow_pickle=False)
    with code_store() as store:
        index(store, Pictures.from_environment(), collection, generation, dataset, codes)
        noted = origin(store, collection, Record(work, run), generation, files, image, config)
        note_origin(store, collection, generation.id, noted)
        return store.count(collection, generation.id)


@step("backfill")
def backfill(generation_id: str, data: str, collection: str, generations: str) -> int:
    """Encode the items that the data set does not have, or whose picture is another by now; how many codes were put.

    What comes while it runs is looked for again, until a pass brings nothing.
    """
    from pipelines.backfill.encode import encode_generation
    from pipelines.shared.data_pictures import DataPictures
    from services.codestore.pictures.sources import PictureSources

    with code_store() as store:
        if not _lacking(store, collection, generation_id):
            return 0
        sources = PictureSources.from_environment(data_set=DataPictures(Dataset.open(data)))
        done = encode_generation(store, collection, generation_id, Path(generations), sources)
    if done.quarantined:
        announce(
            f"{done.quarantined:,} pictures could not be encoded: they are in quarantine, and not waited for"
        )
    return done.coded


@step("publish")
def publish(
    generation_id: str,
    collection: str,
    champion: str,
    work: str,
    run: str,
    reason: str = "",
    wait: float = 0.0,
) -> bool:
    """Make the generation the one that is served, instead of the champion that it was compared with; whether it is.

    Where another one is published by now, nothing is, and the run is told so.

    Args:
        run, reason: who and why, for the audit.
        wait: seconds for codes that a backfill brings, of items that the data set does not have.
    """
    record = Record(work, run)
    if files := GenerationFiles.named():
        files.require(generation_id)  # what no service can load is never published
    with code_store() as store:
        if lacking := store.lack(collection, generation_id).waiting:
            announce(f"{lacking:,} items have no code yet: waiting for a backfill, {wait:g} s at most")
        who = f"pipeline {run}"
        try:
            if _published(store, collection) != generation_id:  # as in an attempt that was interrupted
                store.publish(collection, generation_id, who=who, why=reason, wait=wait, instead_of=champion)
        except TaxohashError:
            if (current := _published(store, collection)) in (champion, generation_id):
                raise
            told = (
                f"generation {current or 'none'} was published meanwhile, and this one was compared with {champion or 'none'}: "
                "run it again"
            )
            store.discard(
                collection, generation_id, who=who, why=told
            )  # else writes would go on bringing its codes
            record.note("ended", verdict=Verdict.REFUSED, reason=told)
            announce(f"not published: {told}")
            return False
    record.note("ended", verdict=Verdict.PUBLISHED, reason=reason)
    return True


@step("wait-for-approval")
def wait_for_approval(generation_id: str, collection: str, work: str, run: str, reason: str) -> None:
    """Leave a sealed generation to a person, who publishes it by `taxohash pipeline approve`."""
    Record(work, run).note("ended", verdict=Verdict.AWAITING, reason=reason)
    announce(f"generation {generation_id} of {collection!r} awaits approval: {reason}")


@step("refuse")
def refuse(work: str, run: str, reason: str) -> None:
    """Say in the run's own log that nothing was published, and why."""
    Record(work, run).note("ended", verdict=Verdict.REFUSED, reason=reason)
    announce(f"not published: {reason}")


@step("collect")
def collect(collection: str, run: str) -> None:
    """Remove generations that are neither served, nor gone back to, nor leased, and the items that only they had."""
    with code_store() as store:
        removed = store.gc(collection, who=f"pipeline {run}", told=announce)
    announce(f"removed {len(removed.generations)} generations and {removed.items:,} items")


def _published(store: CodeStore, collection: str) -> str:
    current = store.published(collection)
    return current.id if current else ""


def _lacking(store: CodeStore, collection: str, generation_id: str) -> int:
    """How many items of a generation have no code: also those whose picture is nowhere, or in quarantine."""
    return sum(
        state.members - state.codes
        for state in store.generations(collection)
        if state.ref.id == generation_id
    )


def _require_database(generation: Generation, dataset: Dataset, md5: str) -> None:
    """Refuse data that are not those of which the generation holds the codes."""
    if not generation.database:
        raise TaxohashError(f"generation {generation.id} does not say whose codes it holds: export it again")
    if md5 != generation.dataset_md5:
        raise TaxohashError(
            f"generation {generation.id} holds codes of the data {generation.dataset_md5}, not of {md5} in "
            f"{dataset.folder}: export it again"
        )
