"""Evaluating a run: encode, rank the database for every query, write the report."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxohash.codes import Codes
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.evidence import Evidence
from taxohash.evaluation.report.write import write_report
from taxohash.generation.hasher import Hasher
from taxohash.protocols import Report, evaluate, find_protocol
from taxohash.runtime.provenance import revision
from taxohash.taxonomy import Labels, Taxonomy

if TYPE_CHECKING:
    from taxohash.networks.hashing import HashingNetwork
    from taxohash.training.run import Run

DEFAULT_PROTOCOL = "hierarchical"


@dataclass(frozen=True)
class Split:
    """Codes uint8[N, B] and labels int32[N] of one split of a data set."""

    name: str
    codes: Codes
    labels: Labels


def evaluate_run(
    folder: str | Path,
    data: str | Path | None = None,
    protocol: str = DEFAULT_PROTOCOL,
    queries: str = "test",
    graded_by: str | Path | None = None,
) -> Report:
    """Rank the training split for every query of another split, and write report.json and report.html.

    Under a protocol that ranks the queries among themselves, the training split is not looked at. `graded_by` is a
    taxonomy.json that grades the answers in place of the data set's own, with the same names of labels.

    Raises:
        TaxohashError: no finished run, other data than it was trained on, an unknown protocol or split, or a
            tree of other labels.
    """
    from taxohash.training.run import Run  # torch: only where a run is given

    run = Run.open(folder)
    leave_one_out = find_protocol(protocol).leave_one_out
    dataset = run.dataset(data)
    taxonomy = Taxonomy.load(graded_by).relabelled(dataset.taxonomy) if graded_by else dataset.taxonomy
    network = run.network()
    asked = _encoded(network, dataset, queries)
    ranked = asked if leave_one_out else _encoded(network, dataset, run.config.split)
    report = evaluate(
        protocol,
        asked.codes,
        asked.labels,
        ranked.codes,
        ranked.labels,
        taxonomy,
        bits=run.config.bits,
    )
    write_report(
        run.folder,
        report,
        taxonomy=taxonomy,
        evidence=_evidence(dataset, taxonomy, run.config.bits, asked, ranked),
        provenance=_provenance(run, taxonomy, asked, ranked),
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
    leave_one_out = find_protocol(protocol).leave_one_out
    hasher = Hasher(folder, threads=os.cpu_count() or 1)
    dataset = Dataset.open(data)
    if dataset.taxonomy.sha256 != hasher.taxonomy.sha256:
        raise TaxohashError(
            f"data set {data} has taxonomy {dataset.taxonomy.sha256}, generation {hasher.generation.id} "
            f"{hasher.taxonomy.sha256}: they cannot be compared"
        )

    def encoded(split: str) -> Split:
        pixels = dataset.pixels(split, hasher.generation.preprocessing)
        return Split(split, hasher.encode(pixels), dataset.labels(split))

    asked = encoded(queries)
    ranked = asked if leave_one_out else encoded(database)
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
    from taxohash.networks.hashing import encode_pixels

    pixels = dataset.pixels(split, network.preprocessing)
    return Split(split, encode_pixels(network, pixels, f"encoding {split}"), dataset.labels(split))


def _provenance(run: "Run", taxonomy: Taxonomy, asked: Split, ranked: Split) -> dict[str, Any]:
    config = run.config
    return {
        "dataset": Path(config.dataset).name,
        "dataset_md5": config.dataset_md5,
        "taxonomy": taxonomy.name,
        "database": ranked.name,
        "queries": asked.name,
        "objective": config.objective,
        "bits": config.bits,
        "network": config.network,
        "epochs": config.training.epochs,
        "seed": config.training.seed,
        **revision(),
    }


def _evidence(dataset: Dataset, taxonomy: Taxonomy, bits: int, asked: Split, ranked: Split) -> Evidence:
    return Evidence(
        taxonomy=taxonomy,
        bits=bits,
        query_codes=asked.codes,
        query_labels=asked.labels,
        query_images=lambda rows: dataset.images(asked.name, rows),
        database_codes=ranked.codes,
        database_labels=ranked.labels,
        database_images=lambda rows: dataset.images(ranked.name, rows),
        leave_one_out=asked is ranked,
    )
