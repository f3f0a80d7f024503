"""Evaluating a run: encode, rank the database for every query, write the report."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes, Queries, bit_health
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.evaluation.calibration import FEWEST, calibrate, calibration, reliability_of
from taxohash.evaluation.projection import projection
from taxohash.evaluation.report.evidence import Evidence
from taxohash.evaluation.report.write import write_report
from taxohash.evaluation.scores import save_scores
from taxohash.evaluation.unlike import classes_of, save, some_of
from taxohash.generation.hasher import Hasher
from taxohash.protocols import Order, Protocol, Report, evaluate, find_protocol
from taxohash.runtime.configuration import plain
from taxohash.runtime.provenance import revision
from taxohash.taxonomy import Taxonomy

if TYPE_CHECKING:
    from taxohash.networks.hashing import HashingNetwork
    from taxohash.networks.novelty import Novelty
    from taxohash.training.run import Run, RunConfig

# By the column in which the queries have their labels.
DEFAULT_PROTOCOLS = {"label": "hierarchical", "labels": "multilabel"}
# Pairs of query and item that are weighed and sorted, in some ten seconds of CPU time: weighted distances hardly tie.
WEIGHED = 100_000_000


@dataclass(frozen=True)
class Split:
    """Codes with the weights of their bits, and labels, int32[N] or bool[N, labels], of one split of a data set."""

    name: str
    queries: Queries
    labels: npt.NDArray[np.int32] | npt.NDArray[np.bool_]

    @property
    def codes(self) -> Codes:
        """uint8[N, B]."""
        return self.queries.codes


def evaluate_run(
    folder: str | Path,
    data: str | Path | None = None,
    protocol: str | None = None,
    queries: str = "test",
    graded_by: str | Path | None = None,
) -> Report:
    """Rank the training split for every query of another split, and write report.json, report.html and scores.npz.

    The protocol is `hierarchical` if none is named, or `multilabel` where the queries have sets of labels. Under one
    that ranks the queries among themselves, the training split is not looked at. `graded_by` is a taxonomy.json that
    grades the answers in place of the data set's own, with the same names of labels. What is found is by Hamming distance,
    scores.npz included, and beside it by weights. Where the queries were not trained on and have one label each, the probabilities
    that answers can be told with are measured, see `evaluation.calibration`, and how new a picture may look, see `evaluation.unlike`.
    A map is made of the codes of what is ranked, see `evaluation.projection`.

    Raises:
        TaxohashError: no finished run, other data than it was trained on, an unknown protocol or split, a split
            without labels or with such as the protocol does not grade, or a tree of other labels.
    """
    from taxohash.networks.hashing import encode_query_pixels
    from taxohash.training.run import Run  # torch: only where a run is given

    run = Run.open(folder)
    named = find_protocol(protocol) if protocol else None
    dataset = run.dataset(data)
    chosen, labels = graded(named, dataset, run.config.split, queries)
    taxonomy = Taxonomy.load(graded_by).relabelled(dataset.taxonomy) if graded_by else dataset.taxonomy
    network = run.network()
    learned_from = run.config.split
    ranked, novelty = None, None
    if not chosen.among_queries:
        ranked, novelty = _learned(network, dataset, learned_from, labels(learned_from))
    known, pixels = labels(queries), dataset.pixels(queries, network.preprocessing)
    asked = Split(
        queries, encode_query_pixels(network, pixels, f"encoding {queries}", novelty=novelty), known
    )
    report = _measured(chosen, asked, ranked or asked, taxonomy, run.config.bits)
    report = _calibrated(report, asked, ranked or asked, dataset.taxonomy, run.config.bits, learned_from)
    report = _mapped(report, ranked or asked, run.config.bits)
    save_scores(run.folder, report.scores)
    save(run.folder, novelty)
    write_report(
        run.folder,
        report,
        taxonomy=taxonomy,
        evidence=_evidence(dataset, taxonomy, run.config, asked, ranked or asked),
        provenance=_provenance(run, taxonomy, asked, ranked or asked),
        title=f"{run.config.objective.name}, {run.config.bits} bits, {dataset.taxonomy.name}",
    )
    return report


def evaluate_generation(
    folder: str | Path,
    data: str | Path,
    protocol: str | None = None,
    database: str = "train",
    queries: str = "test",
) -> Report:
    """Rank one split of any data set for another's images with a generation's exported hasher.

    Codes and the data's own labels and tree decide; which tree the hasher learned is not looked at, so that one of
    before a label came can be compared with one of after. Without a protocol named, that of `evaluate_run`.

    Raises:
        TaxohashError: a damaged generation, or a split without labels or with such as the protocol does not grade.
    """
    named = find_protocol(protocol) if protocol else None
    hasher = Hasher(folder, threads=os.cpu_count() or 1)
    dataset = Dataset.open(data)
    chosen, labels = graded(named, dataset, database, queries)

    def encoded(split: str) -> Split:
        known, pixels = labels(split), dataset.pixels(split, hasher.generation.preprocessing)
        return Split(split, hasher.encode_query_pixels(pixels), known)

    asked, bits = encoded(queries), hasher.generation.bits
    ranked = asked if chosen.among_queries else encoded(database)
    report = _measured(chosen, asked, ranked, dataset.taxonomy, bits)
    return _mapped(_calibrated(report, asked, ranked, dataset.taxonomy, bits, database), ranked, bits)


def _learned(
    network: "HashingNetwork", dataset: Dataset, split: str, labels: npt.NDArray[Any]
) -> "tuple[Split, Novelty | None]":
    """The split that a network learned from, and what tells how unlike its pictures another is; None where these have sets of labels."""
    from taxohash.networks.hashing import encode_with_features
    from taxohash.networks.novelty import Novelty

    some = some_of(len(labels))
    pixels = dataset.pixels(split, network.preprocessing)
    queries, features = encode_with_features(network, pixels, some, f"encoding {split}")
    if labels.ndim == 2:
        return Split(split, queries, labels), None
    classes = classes_of(dataset.taxonomy, labels[some])
    return Split(split, queries, labels), Novelty.fitted(features, pixels, classes, some)


def _calibrated(
    report: Report, asked: Split, ranked: Split, taxonomy: Taxonomy, bits: int, learned_from: str
) -> Report:
    """The report with what the answers' distances are worth, or a note of why that was not measured."""
    why = ""
    if asked.labels.ndim == 2 or ranked.labels.ndim == 2:
        why = "pictures have sets of labels"
    elif asked.name == learned_from:
        why = "the hasher was trained on the queries"
    elif len(asked.labels) < FEWEST:
        why = f"{len(asked.labels)} queries are fewer than {FEWEST}"
    if why:
        return replace(report, notes=(*report.notes, f"no probabilities of answers: {why}"))
    database = None if ranked is asked else (ranked.codes, ranked.labels)
    found = calibrate(asked.queries, asked.labels, database, taxonomy, bits)
    kept = calibration(found, taxonomy, asked.queries.novelty, asked.labels, learned_from)
    return replace(report, calibration=plain(kept), reliability=reliability_of(found, taxonomy))


def _mapped(report: Report, ranked: Split, bits: int) -> Report:
    """The report with a map of the database's codes, and how they use their bits."""
    health = bit_health(ranked.codes, bits).as_dict()
    return replace(report, projection=plain(projection(ranked.codes, bits)), bit_health=health)


def _measured(protocol: Protocol, asked: Split, ranked: Split, taxonomy: Taxonomy, bits: int) -> Report:
    """What is found by Hamming distance, and beside it by weights, of as many queries as WEIGHED allows."""

    def by(ranking: Order, queries: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Report:
        return evaluate(
            protocol.name, queries, labels, ranked.codes, ranked.labels, taxonomy, bits=bits, ranking=ranking
        )

    plain, asking, count = by("hamming", asked.codes, asked.labels), asked.queries.outputs, len(asked.labels)
    most = weighed(protocol, count, len(ranked.labels))
    some = np.linspace(0, count - 1, most).astype(np.int64)
    weighted = by("weighted", asking[some], asked.labels[some])
    told = [*([f"{most:,} of the queries, evenly spread"] if most < count else []), *weighted.notes]
    notes = (f"by weights: {note}" for note in told if note not in plain.notes)
    return replace(plain, weighted=weighted.metrics, notes=(*plain.notes, *notes))


def weighed(protocol: Protocol, queries: int, items: int) -> int:
    """How many of the queries are ranked by weights, evenly spread: all where that is quick, or where they rank each other."""
    return queries if protocol.among_queries else min(queries, max(WEIGHED // items, 1))


def graded(
    named: Protocol | None, dataset: Dataset, database: str, queries: str
) -> tuple[Protocol, Callable[[str], npt.NDArray[Any]]]:
    """The protocol, and what reads a split's labels as it grades them.

    Raises:
        TaxohashError: a split that is looked at has no labels, or such as the protocol does not grade.
    """
    column = dataset.label_column(queries)
    protocol = named or find_protocol(DEFAULT_PROTOCOLS[column or "label"])
    columns = {queries: column}
    if not protocol.among_queries:
        columns[database] = dataset.label_column(database)
    for split, known in columns.items():
        if known is None:
            raise TaxohashError(
                f"split {split} of {dataset.folder} has no labels to grade answers by: choose one that has, or a "
                "protocol that ranks the queries among themselves"
            )
    sets = protocol.grades_sets("labels" in columns.values())
    return protocol, dataset.multi_hot if sets else dataset.labels


def _provenance(run: "Run", taxonomy: Taxonomy, asked: Split, ranked: Split) -> dict[str, Any]:
    config = run.config
    return {
        "dataset": Path(config.dataset).name,
        "dataset_md5": config.dataset_md5,
        "taxonomy": taxonomy.name,
        "learned_from": config.split,
        "database": ranked.name,
        "queries": asked.name,
        "objective": config.objective.name,
        "bits": config.bits,
        "network": config.network.name,
        "epochs": config.training.epochs,
        "seed": config.training.seed,
        **revision(),
    }


def _evidence(
    dataset: Dataset, taxonomy: Taxonomy, config: "RunConfig", asked: Split, ranked: Split
) -> Evidence:
    return Evidence(
        taxonomy=taxonomy,
        bits=config.bits,
        query_codes=asked.codes,
        query_labels=asked.labels,
        query_images=lambda rows: dataset.images(asked.name, rows),
        database_codes=ranked.codes,
        database_labels=ranked.labels,
        database_images=lambda rows: dataset.images(ranked.name, rows),
        reader=config.reader,
        leave_one_out=asked is ranked,
    )
