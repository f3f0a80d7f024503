"""What each step of the retraining pipeline does: paths and parameters in, one call each, plain results out.

Components call exactly one of these. The address of the code store, which may hold a password, comes from
the environment (TAXOHASH_REDIS_URL), never from a parameter that a run would keep, and so do those of the picture
store (TAXOHASH_PICTURES) and of the generations that services load (TAXOHASH_GENERATIONS). Every step starts a process of its own,
so what is slow to import is imported by those that need it.
"""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.shared.generations import bring
from pipelines.shared.step import step
from services.codestore.generation_files import GenerationFiles
from services.codestore.own import code_store
from services.codestore.taxonomies import prepare
from taxohash.datasets import Dataset
from taxohash.datasets.check import check
from taxohash.datasets.splits import indexed_splits, listed, refuse_canary
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import PAGE, queries_of, read_report
from taxohash.generation.hasher import CODES
from taxohash.generation.manifest import Generation
from taxohash.release.gate import FLOORS, SET_FLOORS, Verdict, judge
from taxohash.runtime.progress import announce

if TYPE_CHECKING:
    from services.codestore import CodeStore
    from taxohash.training.config import HasherConfig

DATABASE, QUERIES = "train", "test"


@step
def check_config(config: str) -> str:
    """Refuse a configuration that cannot be trained; else its canonical form with every default written out.

    Of equal configurations all later steps get the same text, and so the same answer from the cache.
    """
    from taxohash.runtime.configuration import canonical, parse
    from taxohash.training.config import HasherConfig

    return canonical(parse(HasherConfig, config).completed())


@step
def check_data(data: str, dataset_md5: str, splits: str = "") -> None:
    """Refuse data that are not the ones named, not sound, or without the splits to index."""
    dataset = Dataset.open(data)
    if (found := dataset.md5()) != dataset_md5:
        raise TaxohashError(
            f"data set {data} has md5 {found}, not {dataset_md5}: mount or pull the right version"
        )
    indexed = indexed_splits(dataset, listed(splits))
    result = check(data)
    if not result.ok:
        first = next(finding.text for finding in result.findings if finding.severity == "error")
        raise TaxohashError(f"data set {data} is not sound: {first}")
    announce(
        f"{sum(result.images.values()):,} images sound, {len(result.findings)} warnings; to be indexed: {', '.join(indexed)}"
    )


@step
def check_ahead(data: str, splits: str, collection: str, generations: str) -> None:
    """Refuse now what a step after the training would refuse."""
    from pipelines.retrain.preflight import preflight

    dataset = Dataset.open(data)
    indexed = indexed_splits(dataset, listed(splits))
    preflight(dataset, DATABASE, QUERIES, indexed, collection, Path(generations))


@step
def train_hasher(data: str, work: str, config: str, out: str) -> None:
    """Train below `work`, where an interrupted attempt is continued, and copy the finished run to `out`.

    `config` is what `check_config` returned.
    """
    from taxohash.runtime.configuration import parse
    from taxohash.training.config import HasherConfig
    from taxohash.training.run import train

    hasher = parse(HasherConfig, config)
    run = train(data, run_folder(work, Dataset.open(data).md5(), hasher), hasher)
    shutil.copytree(run.folder, out, dirs_exist_ok=True)


def run_folder(work: str, dataset_md5: str, hasher: "HasherConfig") -> Path:
    """Where a training with this configuration lies below `work`: the same for every attempt."""
    from taxohash.runtime.configuration import canonical

    key = hashlib.sha256(f"{dataset_md5} {canonical(hasher)}".encode()).hexdigest()
    return Path(work) / "runs" / f"{hasher.objective.name}-{hasher.bits}-{key[:12]}"


@step
def evaluate_hasher(run: str, data: str, out: str, page: str) -> dict[str, float]:
    """Evaluate a copy of the run, with its report.html, which goes to `page` as well. The headline metrics."""
    from taxohash.evaluation.run import evaluate_run

    shutil.copytree(run, out, dirs_exist_ok=True)
    report = evaluate_run(out, data, queries=QUERIES)
    shutil.copyfile(Path(out) / PAGE, page)
    return report.headline


@step
def gate_hasher(run: str, data: str, collection: str, generations: str) -> Verdict:
    """Compare the run with the generation now published, on the same queries."""
    from taxohash.protocols import find_protocol

    report = read_report(run)
    refuse_canary(queries_of(report), "asked by the gate")
    with code_store() as store:
        prepare(store, collection, Dataset.open(data).taxonomy)  # another tree is refused before any export
        published = store.published(collection)
    champion = None
    if published is not None:
        bring(published.id, Path(generations))
        champion = _champion(Path(generations) / published.id, data, report)
    sets = find_protocol(report["protocol"]).label_sets != "refused"
    verdict = judge(report["headline"], champion, SET_FLOORS if sets else FLOORS)
    announce(f"report: {Path(run) / PAGE}")
    announce(("passed: " if verdict.passed else "refused: ") + verdict.reason)
    return verdict


@step
def export_hasher(run: str, data: str, generations: str, splits: str = "") -> str:
    """Make a generation below `generations` with the codes of these splits, all but `canary` if none is named; its id.

    It is put where services look for it (TAXOHASH_GENERATIONS), too.
    """
    from taxohash.release.export import export

    folder = export(run, generations, data, listed(splits))
    if files := GenerationFiles.named():
        files.put(folder)
        announce(f"generation {folder.name} is in {files.address}")
    return folder.name


@step
def index_codes(generation_id: str, data: str, collection: str, generations: str) -> int:
    """Put the data set's items with the generation's codes into the code store, as a sealed generation; the number of codes.

    Repeating it changes nothing, and nothing that is served changes.
    """
    from pipelines.retrain.index import index
    from services.codestore.pictures import Pictures

    folder = Path(generations) / generation_id
    generation, dataset = Generation.load(folder), Dataset.open(data)
    _require_database(generation, dataset)
    codes = np.load(folder / CODES, allow_pickle=False)
    with code_store() as store:
        index(store, Pictures.from_environment(), collection, generation, dataset, codes)
        return store.count(collection, generation.id)


@step
def backfill_codes(generation_id: str, data: str, collection: str, generations: str) -> int:
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


@step
def publish_generation(
    generation_id: str, collection: str, run: str = "", reason: str = "", wait: float = 0.0
) -> str:
    """Make the generation the one that is served; the id it replaces, or nothing.

    Args:
        run, reason: who and why, for the audit.
        wait: seconds for codes that a backfill brings, of items that the data set does not have.
    """
    if files := GenerationFiles.named():
        files.require(generation_id)  # what no service can load is never published
    with code_store() as store:
        current = store.published(collection)
        if current is not None and current.id == generation_id:
            return generation_id
        if lacking := _lacking(store, collection, generation_id):
            announce(f"{lacking:,} items have no code yet: waiting for a backfill, {wait:g} s at most")
        who = f"pipeline {run}".strip()
        return store.publish(collection, generation_id, who=who, why=reason, wait=wait) or ""


@step
def collect_garbage(collection: str, run: str = "") -> None:
    """Remove generations that are neither served, nor gone back to, nor leased, and the items that only they had."""
    with code_store() as store:
        removed = store.gc(collection, who=f"pipeline {run}".strip(), told=announce)
    announce(f"removed {len(removed.generations)} generations and {removed.items:,} items")


@step
def report_refusal(reason: str) -> None:
    """Say in the run's own log that nothing was published, and why."""
    announce(f"not published: {reason}")


def _lacking(store: "CodeStore", collection: str, generation_id: str) -> int:
    """How many items of a generation have no code."""
    return sum(
        state.members - state.codes
        for state in store.generations(collection)
        if state.ref.id == generation_id
    )


def _require_database(generation: Generation, dataset: Dataset) -> None:
    """Refuse data that are not those of which the generation holds the codes."""
    if not generation.database:
        raise TaxohashError(f"generation {generation.id} does not say whose codes it holds: export it again")
    if (md5 := dataset.md5()) != generation.dataset_md5:
        raise TaxohashError(
            f"generation {generation.id} holds codes of the data {generation.dataset_md5}, not of {md5} in "
            f"{dataset.folder}: export it again"
        )


def _champion(folder: Path, data: str, report: Mapping[str, Any]) -> dict[str, float]:
    generation = Generation.load(folder)
    evaluated, protocol, queries = generation.evaluation, report["protocol"], queries_of(report)
    asked_alike = (evaluated["protocol"], evaluated.get("queries")) == (protocol, queries)
    if asked_alike and generation.dataset_md5 == Dataset.open(data).md5():
        return dict(evaluated["headline"])  # the same queries and database: measured already
    from taxohash.evaluation.run import evaluate_generation

    return evaluate_generation(folder, data, protocol, DATABASE, queries).headline
