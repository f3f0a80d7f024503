"""Retrieval metrics, tie-aware: expected values over all orders of tied items."""

from taxohash.metrics.distances import (
    HistogramRanker,
    Ranker,
    SortingRanker,
    hamming,
    real_valued,
    weighted,
)
from taxohash.metrics.gain import average_cumulative_gain, ndcg
from taxohash.metrics.grades import Grades
from taxohash.metrics.hierarchical import (
    average_hierarchical_precision,
    average_set_intersection,
    hierarchical_average_precision,
    hierarchical_precision,
    weighted_recall,
)
from taxohash.metrics.precision import (
    average_precision,
    collisions,
    precision,
    precision_recall,
    precision_within,
    weighted_average_precision,
)
from taxohash.metrics.ranking import Ranking

__all__ = [
    "Grades",
    "HistogramRanker",
    "Ranker",
    "Ranking",
    "SortingRanker",
    "average_cumulative_gain",
    "average_hierarchical_precision",
    "average_precision",
    "average_set_intersection",
    "collisions",
    "hamming",
    "hierarchical_average_precision",
    "hierarchical_precision",
    "ndcg",
    "precision",
    "precision_recall",
    "precision_within",
    "real_valued",
    "weighted",
    "weighted_average_precision",
    "weighted_recall",
]
