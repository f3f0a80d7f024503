"""Rankers against loops over pairs."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxohash import metrics as m
from taxohash.codes import Codes
from taxohash.taxonomy import Taxonomy
from tests.code.taxohash.taxonomy.test_tree import paths
from tests.support import hamming_oracle as oracle


def problem(seed: int, queries: int, items: int, bits: int) -> tuple[Codes, Codes, m.Grades]:
    rng = np.random.default_rng(seed)
    codes = np.packbits(rng.random((queries + items, bits)) < 0.5, axis=1)
    table = rng.integers(0, 3, (4, 4))
    table.flat[0] = 2
    grades = m.Grades.of_labels(table, rng.integers(0, 4, queries), rng.integers(0, 4, items))
    return codes[:queries], codes[queries:], grades


def signed(codes: Codes, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Outputs with these signs and magnitudes; where one is 0 the sign is lost, and counts nothing."""
    return np.where(np.unpackbits(codes, axis=1, count=weights.shape[1]), weights, -weights)


def distance(a: Codes, b: Codes) -> int:
    return int(np.unpackbits(a ^ b).sum())


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6), queries=st.integers(1, 5), items=st.integers(1, 30), bits=st.integers(1, 200)
)
def test_histogram_counts_every_pair(seed: int, queries: int, items: int, bits: int) -> None:
    query, database, grades = problem(seed, queries, items, bits)
    expected, rows = np.zeros((queries, bits + 1, 3), int), grades.rows(slice(0, queries))
    for q in range(queries):
        for i in range(items):
            expected[q, distance(query[q], database[i]), rows[q, i]] += 1
    counts = m.HistogramRanker(query, database, bits, grades)(slice(0, queries)).counts
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("bits", [8, 64, 100])
def test_kept_order_is_the_stable_sort(bits: int) -> None:
    query, database, grades = problem(3, 4, 60, bits)
    order = np.random.default_rng(0).permutation(60)
    ranking = m.SortingRanker(m.hamming(query, database), grades, order)(slice(1, 4))
    for row, q in enumerate(range(1, 4)):
        by_distance = sorted(order, key=lambda i: distance(query[q], database[i]))
        wanted = [int(grades.rows(slice(q, q + 1))[0, i]) for i in by_distance]
        got = [g for block in ranking.counts[row] for g, n in enumerate(block) for _ in range(n)]
        assert got == wanted
        assert (np.count_nonzero(ranking.counts[row], axis=1) <= 1).all()  # no ties are left


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_signs_as_vectors_rank_as_codes(metric: str) -> None:
    query, database, grades = problem(4, 5, 80, 16)
    vectors = [np.unpackbits(codes, axis=1) * 2.0 - 1 for codes in (query, database)]
    near = m.real_valued(vectors[0], vectors[1], "cosine" if metric == "cosine" else "l2")
    tied = m.SortingRanker(near, grades, None)(slice(0, 5))
    counted = m.HistogramRanker(query, database, 16, grades)(slice(0, 5))
    for measure in (m.average_precision, m.average_set_intersection):
        np.testing.assert_allclose(measure(tied), measure(counted), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    items=st.integers(1, 40),
    bits=st.integers(1, 130),
    kind=st.sampled_from(oracle.WEIGHTS),
)
def test_weighted_distances_are_those_of_the_index(seed: int, items: int, bits: int, kind: str) -> None:
    query, database, grades = problem(seed, 4, items, bits)
    weights = oracle.make_weights(np.random.default_rng(seed), 4, bits, kind)
    near = m.weighted(signed(query, weights), database)
    expected = np.stack(
        [oracle.weighted_distances(database, q, w)[0] for q, w in zip(query, weights, strict=True)]
    )
    np.testing.assert_array_equal(near(slice(0, 4)), expected)
    np.testing.assert_array_equal(near(slice(1, 3)), expected[1:3])
    tied = m.SortingRanker(near, grades, None)(slice(0, 4))
    rows = grades.rows(slice(0, 4))
    blocks = np.zeros((4, items, 3), np.int64)
    for q in range(4):
        places = np.unique(expected[q], return_inverse=True)[1]
        np.add.at(blocks[q], (places, rows[q]), 1)
    for measure in (m.average_set_intersection, lambda r: m.precision(r, 1, 5)):
        np.testing.assert_allclose(measure(tied), measure(m.Ranking(blocks)), atol=1e-12)


@pytest.mark.parametrize("weight", [1.0, 0.3, 1e-30, 3e38])
def test_equal_weights_rank_as_the_codes_do(weight: float) -> None:
    codes, _, _ = problem(8, 40, 1, 20)
    labels = np.arange(40) % 4
    grades = m.Grades.of_labels(np.eye(4, dtype=int), labels, labels)
    outputs = signed(codes, np.full((40, 20), weight, np.float32))
    counted = m.HistogramRanker(codes, codes, 20, grades, leave_one_out=True)(slice(5, 40))
    tied = m.SortingRanker(m.weighted(outputs, codes), grades, None, leave_one_out=True)(slice(5, 40))
    np.testing.assert_array_equal(tied.totals, counted.totals)
    np.testing.assert_allclose(m.average_precision(tied, 1), m.average_precision(counted, 1), atol=1e-12)


def test_a_query_is_left_out_of_its_own_ranking() -> None:
    codes, _, _ = problem(6, 12, 1, 8)
    labels = np.arange(12) % 4
    grades = m.Grades.of_labels(np.eye(4, dtype=int), labels, labels)
    counted = m.HistogramRanker(codes, codes, 8, grades, leave_one_out=True)(slice(3, 9))
    signs = np.unpackbits(codes, axis=1) * 2.0 - 1
    tied = m.SortingRanker(m.real_valued(signs, signs, "l2"), grades, None, leave_one_out=True)(slice(3, 9))
    assert counted.length == tied.length == 11
    np.testing.assert_array_equal(counted.totals, np.tile([9, 2], (6, 1)))
    np.testing.assert_allclose(m.average_precision(tied), m.average_precision(counted), atol=1e-12)
    kept = m.SortingRanker(m.hamming(codes, codes), grades, np.arange(12), leave_one_out=True)(slice(0, 12))
    for row in range(12):
        others = [i for i in range(12) if i != row]
        wanted = [
            int(labels[i] == labels[row])
            for i in sorted(others, key=lambda i: distance(codes[row], codes[i]))
        ]
        assert [g for block in kept.counts[row] for g, n in enumerate(block) for _ in range(n)] == wanted


def test_labels_are_graded_by_a_table() -> None:
    table = np.array([[0, 2, 1], [1, 0, 0]])
    grades = m.Grades.of_labels(table, np.array([1, 0, 1]), np.array([2, 0, 1, 0]))
    assert grades.rows(slice(0, 3)).tolist() == [[0, 1, 0, 1], [1, 0, 2, 0], [0, 1, 0, 1]]
    assert grades.own(slice(1, 3)).tolist() == [0, 0]
    assert grades.levels == 3


@settings(max_examples=60, deadline=None)
@given(found=paths, seed=st.integers(0, 10**6))
def test_labels_are_graded_by_the_levels_they_agree_on(found: list[tuple[str, ...]], seed: int) -> None:
    tree, rng = Taxonomy("any", tuple(found)), np.random.default_rng(seed)
    query, database = rng.integers(0, len(tree), 5), rng.integers(0, len(tree), 17)
    grades = m.Grades.of_tree(tree.ancestors, query, database)
    wanted = tree.agreement[query][:, database]
    assert grades.levels == tree.depth + 1
    assert grades.rows(slice(0, 5)).tolist() == wanted.tolist()
    assert grades.rows(slice(2, 4)).tolist() == wanted[2:4].tolist()
    alike = np.zeros((17, 1), np.uint8)
    counts = m.HistogramRanker(alike[:5], alike, 8, grades)(slice(1, 5)).counts
    for row, own in zip(counts, wanted[1:], strict=True):
        assert row[0].tolist() == np.bincount(own, minlength=grades.levels).tolist()
    among = m.Grades.of_tree(tree.ancestors, database, database)
    assert among.own(slice(3, 17)).tolist() == [tree.depth] * 14
    left_out = m.HistogramRanker(alike, alike, 8, among, leave_one_out=True)(slice(0, 17)).counts
    assert left_out[:, 0, tree.depth].tolist() == [(database == own).sum() - 1 for own in database]


@settings(max_examples=60, deadline=None)
@given(found=paths, seed=st.integers(0, 10**6))
def test_labels_are_graded_by_agreement_and_kinds(found: list[tuple[str, ...]], seed: int) -> None:
    tree, rng = Taxonomy("any", tuple(found)), np.random.default_rng(seed)
    table = rng.integers(0, 300, (3, 2, tree.depth + 1))
    row, kind = rng.integers(0, 3, len(tree)), rng.integers(0, 2, len(tree))
    query, database = rng.integers(0, len(tree), 4), rng.integers(0, len(tree), 15)
    grades = m.Grades.of_agreement(table, tree.ancestors, row, kind, query, database)
    wanted = [[table[row[q], kind[d], tree.agreement[q, d]] for d in database] for q in query]
    assert grades.rows(slice(0, 4)).tolist() == wanted
    assert grades.levels == table.max() + 1


def test_label_sets_are_graded_by_labels_shared() -> None:
    query = np.array([[1, 1, 0], [0, 0, 1]], bool)
    database = np.array([[1, 1, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1]], bool)
    grades = m.Grades.of_label_sets(query, database)
    assert grades.rows(slice(0, 2)).tolist() == [[2, 1, 0, 2], [1, 0, 0, 1]]
    assert grades.levels == 3
