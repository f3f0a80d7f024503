"""The loop that the report is timed against computes the same numbers."""

import numpy as np
import pytest

from benchmarks.speed.evaluation import BITS, TREE, loop, problem
from taxohash.protocols import evaluate


def test_loop_and_report_agree_where_ties_keep_their_order() -> None:
    query, query_labels, database, database_labels = problem(1)
    some = np.arange(0, len(query), 2003)
    slow = loop(query[some], query_labels[some], database, database_labels)
    report = evaluate(
        "hpdh-cifar100",
        query[some],
        query_labels[some],
        database,
        database_labels,
        TREE,
        bits=BITS,
        ties="stable",
    )
    assert slow == pytest.approx({name: report.metrics[name] for name in slow}, abs=1e-9)
