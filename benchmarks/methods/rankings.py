"""What a binary method's codes reach by both rankings: by Hamming distance, and by weights of the query's bits."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks.common.rows import Row
from taxohash.codes import Codes, pack
from taxohash.objectives import AnyObjective
from taxohash.protocols import PROTOCOLS, Report, evaluate
from taxohash.taxonomy import Taxonomy

Labels = npt.NDArray[np.int32]
# Weighted distances of a query to a large database hardly tie, so all are sorted: a share of the queries must do.
WEIGHTED_QUERIES = 2000


def by_distance_and_weights(
    protocol: str,
    learned: AnyObjective,
    asked: Tensor,
    asked_labels: Labels,
    ranked: Tensor,
    labels: Labels,
    taxonomy: Taxonomy,
) -> tuple[Report, Report]:
    """The reports of both rankings, of outputs float[Q, width] of queries and float[N, width] of the database.

    By weights WEIGHTED_QUERIES of the queries are ranked, evenly spread; all of them under a protocol that ranks the queries
    among themselves.
    """
    with torch.no_grad():
        form, database = (learned.search_form(outputs).float().numpy() for outputs in (asked, ranked))
    codes, bits = pack(database), form.shape[1]
    most = len(form) if PROTOCOLS[protocol].among_queries else WEIGHTED_QUERIES
    some = np.linspace(0, len(form) - 1, min(most, len(form))).astype(int)
    plain = evaluate(protocol, pack(form), asked_labels, codes, labels, taxonomy, bits=bits)
    weighted = evaluate(
        protocol, form[some], asked_labels[some], codes, labels, taxonomy, bits=bits, ranking="weighted"
    )
    return plain, weighted


def code_of(learned: AnyObjective, outputs: Tensor) -> Codes:
    """The codes uint8[N, ceil(bits/8)] of outputs float[N, width]."""
    with torch.no_grad():
        return pack(learned.search_form(outputs).numpy())


def headlines(plain: Report, weighted: Report) -> Row:
    """The headline metrics of both rankings, as a row has them."""
    return {"metrics": plain.headline, "weighted": weighted.headline}
