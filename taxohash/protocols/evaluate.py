"""evaluate(): rank the database for every query and measure, block by block, on all cores."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from taxohash import metrics as m
from taxohash.codes import pack
from taxohash.errors import TaxohashError
from taxohash.metrics.ranking import Floats
from taxohash.protocols.definitions import Protocol, find_protocol
from taxohash.protocols.inputs import check_items, check_labels, check_outputs
from taxohash.protocols.measures import Labels, Measures, View
from taxohash.protocols.result import Report, scored_names
from taxohash.runtime.progress import bars
from taxohash.taxonomy import Taxonomy

Items = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
Ties = Literal["expected", "stable", "random"]
Order = Literal["hamming", "weighted"]
RECALLS: Floats = np.linspace(0.01, 1.0, 100)
LARGEST_BLOCK = 512


def evaluate(
    protocol: str,
    query_codes: Items,
    query_labels: Labels,
    database_codes: Items,
    database_labels: Labels,
    taxonomy: Taxonomy,
    *,
    bits: int | None = None,
    ranking: Order = "hamming",
    ties: Ties = "expected",
    seed: int = 0,
    metric: Literal["cosine", "l2"] = "cosine",
) -> Report:
    """Rank the database for every query and measure under a named protocol.

    Args:
        protocol: a name in PROTOCOLS.
        query_codes: packed codes uint8[Q, ceil(bits/8)], or real vectors float[Q, D] with bits=None; to rank by weights
            float32[Q, bits], whose signs are the code and whose magnitudes the weights of its bits.
        query_labels: int[Q] into the taxonomy, or multi-hot [Q, labels] (`multilabel`, `flat`).
        database_codes, database_labels: packed codes, or vectors, and labels of the N items ranked. Under a protocol that
            ranks the queries among themselves (`barz`, `hpdh-heldout`) they must be the queries, in the same order.
        taxonomy: the tree that the labels index.
        bits: bits of a code; None for real vectors.
        ranking: of codes: `hamming`, the number of bits in which query and code differ, or `weighted`, the sum of the
            query's magnitudes over these, see `HammingIndex.search`.
        ties: `expected` takes the expected value over all orders of tied items; `stable` keeps the
            order of the database; `random` shuffles the database once by `seed`, then keeps its order.
        metric: distance of real vectors; equal distances are ties.

    Precision within radius 2 and collisions are reported for Hamming distances with expected ties alone. Ten thousand
    queries against 50,000 codes take some 1.3 s of CPU time; sorting, for weights, vectors and other tie policies, 40 to 50 s.

    Raises:
        TaxohashError: an unknown protocol, ranking or tie policy, or arrays that do not fit it or each other.
    """
    chosen = find_protocol(protocol)
    if ranking not in ("hamming", "weighted"):
        raise TaxohashError(f"there is no ranking {ranking!r}: use hamming or weighted")
    if ties not in ("expected", "stable", "random"):
        raise TaxohashError(f"there is no tie policy {ties!r}: use expected, stable or random")
    query_codes, query_labels = np.asarray(query_codes), np.asarray(query_labels)
    database_codes, database_labels = np.asarray(database_codes), np.asarray(database_labels)
    _check(chosen, query_codes, query_labels, database_codes, database_labels, taxonomy, bits, ranking)
    rng = np.random.default_rng(seed)
    itself = chosen.ranks == "others"

    def ranked(asked: Rows, among: Rows) -> tuple[dict[str, Floats], dict[str, Floats]]:
        tied = None if ties == "expected" else np.arange(len(among))
        if ties == "random":
            tied = rng.permutation(len(among))
        values: dict[str, Floats] = {}
        curves: dict[str, Floats] = {}
        for view in chosen.views(query_labels[asked], database_labels[among], taxonomy):
            measures, ranker = (
                view.measures,
                _ranker(query_codes[asked], database_codes[among], bits, ranking, metric, view, tied, itself),
            )
            if isinstance(ranker, m.HistogramRanker):
                measures = measures | view.by_radius
            found, drawn = _measure(ranker, measures, view.curves, len(asked))
            values |= found
            curves |= drawn
        return values, curves

    rounds = _rounds(chosen, query_labels, len(database_codes))
    values, curves = map(_joined, zip(*(ranked(*one) for one in rounds), strict=True))
    order = np.concatenate([asked for asked, _ in rounds])
    return Report(
        protocol=protocol,
        metrics={name: float(value.mean()) for name, value in values.items()},
        counts={
            "queries": len(query_codes),
            "database": len(rounds[0][1]) - itself,
            "dimensions" if bits is None else "bits": bits or query_codes.shape[1],
        },
        ranking=metric if bits is None else ranking,
        ties=f"random (seed {seed})" if ties == "random" else ties,
        notes=(
            *_notes(chosen, taxonomy, query_labels, database_labels, rounds),
            *_unweighted(query_codes if ranking == "weighted" else None),
        ),
        curves={
            name: {"recall": RECALLS.tolist(), "precision": points.mean(axis=0).tolist()}
            for name, points in curves.items()
        },
        classes=_by_class(values["mAP"], query_labels[order], taxonomy),
        scores={
            name: values[full][np.argsort(order)].astype(np.float32)
            for name, full in scored_names(values).items()
        },
    )


def _rounds(protocol: Protocol, labels: Labels, database: int) -> list[tuple[Rows, Rows]]:
    """Rows of the queries, and of what they rank."""
    if protocol.ranks == "halves":
        first, second = halves(labels)
        return [(first, second), (second, first)]
    asked = np.arange(len(labels))
    if labels.ndim == 1 and protocol.ranks == "database":  # queries of one class share their ideal rankings
        asked = np.argsort(labels, kind="stable")
    return [(asked, np.arange(database))]


def halves(labels: Labels, seed: int = 0) -> tuple[Rows, Rows]:
    """Rows int64[*] of two halves of items, drawn by a seed: they differ by one item at most, of each class too."""
    drawn = np.random.default_rng(seed).permutation(len(labels))
    by_class = drawn[np.argsort(labels[drawn], kind="stable")]
    return by_class[::2], by_class[1::2]


def _joined(rounds: tuple[dict[str, Floats], ...]) -> dict[str, Floats]:
    return {name: np.concatenate([found[name] for found in rounds]) for name in rounds[0]}


def _ranker(
    query: Items,
    database: Items,
    bits: int | None,
    ranking: Order,
    metric: Literal["cosine", "l2"],
    view: View,
    order: npt.NDArray[np.integer] | None,
    leave_one_out: bool,
) -> m.Ranker:
    """Histograms where codes tie, else sorting."""
    if bits is None:
        return m.SortingRanker(m.real_valued(query, database, metric), view.grades, order, leave_one_out)
    if ranking == "weighted":
        return m.SortingRanker(m.weighted(query, database), view.grades, order, leave_one_out)
    if order is None:
        return m.HistogramRanker(query, database, bits, view.grades, leave_one_out)
    return m.SortingRanker(m.hamming(query, database), view.grades, order, leave_one_out)


def _measure(
    ranker: m.Ranker, measures: Measures, curves: dict[str, int], queries: int
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Values float64[Q] of every measure, and precisions float64[Q, recalls] of every curve."""
    block = min(ranker.block, LARGEST_BLOCK)

    def one(start: int) -> tuple[list[Floats], list[Floats]]:
        ranking = ranker(slice(start, min(start + block, queries)))
        points = [m.precision_recall(ranking, grade, RECALLS) for grade in curves.values()]
        return [measure(ranking) for measure in measures.values()], points

    blocks = []
    with bars() as progress, ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        task = progress.add_task("ranking", total=queries, note="")
        for found in pool.map(one, range(0, queries, block)):
            blocks.append(found)
            progress.update(task, advance=block)
    values = {name: np.concatenate([found[i] for found, _ in blocks]) for i, name in enumerate(measures)}
    points = {name: np.concatenate([drawn[i] for _, drawn in blocks]) for i, name in enumerate(curves)}
    return values, points


def _by_class(scores: Floats, labels: Labels, taxonomy: Taxonomy) -> dict[str, float]:
    if labels.ndim == 2:
        return {}
    order = np.argsort(labels, kind="stable")
    present, starts = np.unique(labels[order], return_index=True)
    by_label = np.split(scores[order], starts[1:])
    return {
        "/".join(taxonomy.paths[label]): float(own.mean())
        for label, own in zip(present, by_label, strict=True)
    }


def _check(
    protocol: Protocol,
    query_codes: Items,
    query_labels: Labels,
    database_codes: Items,
    database_labels: Labels,
    taxonomy: Taxonomy,
    bits: int | None,
    ranking: Order,
) -> None:
    weighted = ranking == "weighted"
    if weighted:
        check_outputs("query codes", query_codes, bits)
    else:
        check_items("query codes", query_codes, bits)
    check_items("database codes", database_codes, bits)
    if not weighted and query_codes.shape[1] != database_codes.shape[1]:
        raise TaxohashError(
            f"query vectors have {query_codes.shape[1]} dimensions, the database {database_codes.shape[1]}: use one network for both"
        )
    many = protocol.grades_sets(query_labels.ndim == 2)
    check_labels("query labels", query_labels, len(query_codes), taxonomy, many)
    check_labels("database labels", database_labels, len(database_codes), taxonomy, many)
    if protocol.among_queries:
        codes = pack(query_codes) if weighted else query_codes
        same = np.array_equal(codes, database_codes) and np.array_equal(query_labels, database_labels)
        if not same or len(query_codes) < 2:
            raise TaxohashError(
                f"protocol {protocol.name!r} ranks the queries among themselves: pass the same two or more items as queries and database"
            )


def _unweighted(outputs: Items | None) -> list[str]:
    """A note of queries that weigh no bit."""
    blank = 0 if outputs is None else int((~outputs.any(axis=1)).sum())
    return [f"{blank:,} queries whose outputs are all 0 rank nothing: all items tie"] if blank else []


def _notes(
    protocol: Protocol,
    taxonomy: Taxonomy,
    query_labels: Labels,
    database_labels: Labels,
    rounds: list[tuple[Rows, Rows]],
) -> list[str]:
    notes = []
    if protocol.queries not in (None, len(query_labels)):
        notes.append(f"{len(query_labels):,} queries where the protocol has {protocol.queries:,}")
    if protocol.database not in (None, len(database_labels)):
        notes.append(f"{len(database_labels):,} database items where the protocol has {protocol.database:,}")
    classes = tuple(taxonomy.class_count(level) for level in range(taxonomy.depth))
    if protocol.classes not in (None, classes):
        notes.append(f"levels of {classes} classes where the protocol has {protocol.classes}")
    if query_labels.ndim == 1:
        unanswered = sum(
            int((~np.isin(query_labels[asked], database_labels[among])).sum()) for asked, among in rounds
        )
        if unanswered:
            notes.append(f"{unanswered:,} queries of classes that the database lacks score 0 in mAP")
    return notes
