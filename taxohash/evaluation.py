"""Evaluating a run: encode, rank the database for every query, write the report."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxohash.codes import Codes
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.inference import Hasher
from taxohash.protocols import Report, evaluate
from taxohash.report.evidence import Evidence
from taxohash.report.write import write_report
from taxohash.revision import revision
from taxohash.taxonomy import Labels

if TYPE_CHECKING:
    from taxohash.networks import HashingNetwork
    from taxohash.runs import Run

DEFAULT_PROTOCOL = "hierarchical"


@dataclass(frozen=True)
class Split:
    """Codes uint8[N, B] and labels int32[N] of one split."""

    codes: Codes
    labels: Labels


def evaluate_run(
    folder: str | Path,
    data: str | Path | None = None,
    protocol: str = DEFAULT_PROTOCOL,
    queries: str = "test",
) -> Report:
    """Rank the training split for every query of another split, and write report.json and report.html.

    Raises:
        TaxohashError: no finished run, other data than it was trained on, an unknown protocol or split.
    """
    from taxohash.runs import Run  # torch: only where a run is given

    run = Run.open(folder)
    dataset = run.dataset(data)
    network = run.network()
    database = _encoded(network, dataset, run.config.split)
    asked = _encoded(network, dataset, queries)
    report = evaluate(
        protocol,
        asked.codes,
        asked.labels,
        database.codes,
        database.labels,
        dataset.taxonomy,
        bits=run.config.bits,
    )
    write_report(
        run.folder,
        report,
        taxonomy=dataset.taxonomy,
        evidence=_evidence(run, dataset, queries, asked, database),
        provenance=_provenance(run, queries),
        title=f"{run.config.objective}, {run.config.bits} bits, {Path(run.config.dataset).name}",
    )
    return report


def evaluate_generation(
    folder: str | Path,
    data: str | Path,
    protocol: str = DEFAULT_PROTOCOL,
    database: str = "train",
    queries: str = "test",
) -> Report:
    """Rank one split of any data set for another's images with a generation's exported hasher.

    Raises:
        TaxohashError: a damaged generation, or data with another taxonomy.
    """
    hasher = Hasher(folder, threads=os.cpu_count() or 1)
    dataset = Dataset.open(data)
    if dataset.taxonomy.sha256 != hasher.taxonomy.sha256:
        raise TaxohashError(
            f"data set {data} has taxonomy {dataset.taxonomy.sha256}, generation {hasher.generation.id} "
            f"{hasher.taxonomy.sha256}: they cannot be compared"
        )
    ranked, asked = (
        Split(hasher.encode(dataset.pixels(split, hasher.generation.preprocessing)), dataset.labels(split))
        for split in (database, queries)
    )
    return evaluate(
        protocol,
        asked.codes,
        asked.labels,
        ranked.codes,
        ranked.labels,
        dataset.taxonomy,
        bits=hasher.generation.bits,
    )


def _encoded(network: "HashingNetwork", dataset: Dataset, split: str) -> Split:
    from taxohash.networks import encode_pixels

    pixels = dataset.pixels(split, network.preprocessing)
    return Split(encode_pixels(network, pixels, f"encoding {split}"), dataset.labels(split))


def _provenance(run: "Run", queries: str) -> dict[str, Any]:
    config = run.config
    return {
        "dataset": Path(config.dataset).name,
        "dataset_md5": config.dataset_md5,
        "database": config.split,
        "queries": queries,
        "objective": config.objective,
        "bits": config.bits,
        "network": config.network,
        "epochs": config.training.epochs,
        "seed": config.training.seed,
        **revision(),
    }


def _evidence(run: "Run", dataset: Dataset, queries: str, asked: Split, database: Split) -> Evidence:
    return Evidence(
        taxonomy=dataset.taxonomy,
        bits=run.config.bits,
        query_codes=asked.codes,
        query_labels=asked.labels,
        query_images=lambda rows: dataset.images(queries, rows),
        database_codes=database.codes,
        database_labels=database.labels,
        database_images=lambda rows: dataset.images(run.config.split, rows),
    )
