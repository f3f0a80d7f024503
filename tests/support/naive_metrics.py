"""Every metric over one fixed order, straight from its definition: the oracle of the tests."""

from collections.abc import Sequence
from math import log2

Grades = Sequence[int]
Values = Sequence[float]


def average_precision(order: Grades, grade: int, at: int | None = None) -> float:
    return weighted_average_precision([int(g >= grade) for g in order], (0.0, 1.0), at)


def weighted_average_precision(order: Grades, gains: Values, at: int | None = None) -> float:
    top = order[:at]
    terms = [sum(gains[g] for g in top[: t + 1]) / (t + 1) for t in range(len(top)) if top[t] >= 1]
    return sum(terms) / len(terms) if terms else 0.0


def precision(order: Grades, grade: int, at: int) -> float:
    top = order[:at]
    return sum(g >= grade for g in top) / len(top)


def hierarchical_precision(order: Grades, similarity: Values, at: int) -> float:
    best = sum(similarity[g] for g in sorted(order, reverse=True)[:at])
    return sum(similarity[g] for g in order[:at]) / best if best else 0.0


def average_hierarchical_precision(order: Grades, similarity: Values, at: int, rule: str) -> float:
    at = min(at, len(order))
    curve = [hierarchical_precision(order, similarity, t) for t in range(1, at + 1)]
    if rule == "trapezoid":
        return (sum(curve) - (curve[0] + curve[-1]) / 2) / at
    return sum(curve) / at


def discount(name: str, rank: int) -> float:
    if name == "log":
        return log2(1 + rank)
    if name == "hpdh":
        return 1.0 if rank <= 3 else log2(rank - 1)
    return 1.0 if rank < 2 else log2(rank)


def ndcg(order: Grades, gains: Values, at: int, name: str, curve: bool) -> float:
    at = min(at, len(order))
    best = sorted(order, reverse=True)
    values, dcg, ideal = [], 0.0, 0.0
    for t in range(at):
        dcg += gains[order[t]] / discount(name, t + 1)
        ideal += gains[best[t]] / discount(name, t + 1)
        values.append(dcg / ideal if ideal else 0.0)
    return sum(values) / at if curve else values[-1]


def average_cumulative_gain(order: Grades, gains: Values, at: int) -> float:
    return sum(gains[g] for g in order[:at]) / min(at, len(order))


def weighted_recall(order: Grades, similarity: Values, at: int) -> float:
    total = sum(similarity[g] for g in order)
    return sum(similarity[g] for g in order[:at]) / total if total else 0.0


def hierarchical_average_precision(order: Grades, similarity: Values) -> float:
    total = sum(similarity[g] for g in order)
    score = sum(
        sum(min(similarity[g], similarity[order[k]]) for g in order[: k + 1]) / (k + 1)
        for k in range(len(order))
    )
    return score / total if total else 0.0


def average_set_intersection(order: Grades) -> float:
    relevant = sum(g >= 1 for g in order)
    best = sorted(order, reverse=True)
    shares = [
        sum(min(order[:t].count(g), best[:t].count(g)) for g in set(order)) / t
        for t in range(1, relevant + 1)
    ]
    return sum(shares) / relevant if relevant else 0.0
