"""evaluate(): known scores, indifference to order, agreement with shuffled sorting, and refusals."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taxohash.codes import Codes
from taxohash.errors import TaxohashError
from taxohash.protocols import PROTOCOLS, evaluate
from taxohash.protocols.evaluate import halves
from taxohash.taxonomy import Taxonomy
from taxohash.taxonomy.similarity import height_similarity
from tests.support import hamming_oracle as oracle
from tests.support import naive_metrics as naive

CIFAR = Taxonomy("cifar", tuple((f"s{c // 5}", f"c{c}") for c in range(100)), ("superclass", "class"))
SMALL = Taxonomy(
    "small", tuple((f"a{c // 4}", f"b{c // 2}", f"c{c}") for c in range(8)), ("top", "middle", "leaf")
)


def one_hot(classes: npt.NDArray[np.integer], count: int) -> Codes:
    return np.packbits(np.eye(count, dtype=np.uint8)[classes], axis=1)


def clustered(labels: npt.NDArray[np.integer], bits: int, seed: int) -> Codes:
    """Codes around a centre for each label; short enough to tie often."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).random((labels.max() + 1, bits)) < 0.5
    return np.packbits(centres[labels] ^ (rng.random((len(labels), bits)) < 0.2), axis=1)


def sample(queries: int = 30, items: int = 200, bits: int = 12) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    query, database = rng.integers(0, 8, queries), rng.integers(0, 8, items)
    return {
        "query_codes": clustered(query, bits, 1),
        "query_labels": query,
        "database_codes": clustered(database, bits, 2),
        "database_labels": database,
        "taxonomy": SMALL,
        "bits": bits,
    }


@pytest.mark.parametrize(
    ("bits", "codes_of", "scores"),
    [
        (8, lambda labels: np.zeros((len(labels), 1), np.uint8), (0.0102, 0.0408, 0.030)),
        (100, lambda labels: one_hot(labels, 100), (1, 0.654, 1)),
        (20, lambda labels: one_hot(labels // 5, 20), (0.202, 0.816, 0.600)),
    ],
    ids=["random", "fine-perfect", "superclass-perfect"],
)
def test_closed_form_scores_on_the_counts_of_cifar100(
    bits: int, codes_of: Any, scores: tuple[float, float, float]
) -> None:
    query, database = np.arange(100), np.repeat(np.arange(100), 500)
    report = evaluate("hpdh-cifar100", codes_of(query), query, codes_of(database), database, CIFAR, bits=bits)
    fine, mahp, ndcg = scores
    assert report.metrics["mAP"] == pytest.approx(fine, abs=5e-4 if fine > 0.1 else 5e-5)
    assert report.metrics["mAHP@2500"] == pytest.approx(mahp, abs=5e-4 if mahp > 0.1 else 5e-5)
    assert report.metrics["nDCG@100"] == pytest.approx(ndcg, abs=1e-9)
    assert report.headline == {name: report.value(name) for name in ("mAP", "mAHP", "nDCG")}
    assert report.counts == {"queries": 100, "database": 50_000, "bits": bits}
    assert report.notes == ("100 queries where the protocol has 10,000",)


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_each_query_has_its_score_in_the_order_given(protocol: str) -> None:
    given = case(protocol)
    report = evaluate(protocol, **given)
    values = report.headline | {name: v for name, v in report.metrics.items() if name.startswith("mAP/")}
    assert set(report.scores) == set(values)
    for name, scores in report.scores.items():
        assert scores.shape == (30,)
        assert scores.dtype == np.float32
        assert scores.mean() == pytest.approx(values[name])
    assert "scores" not in report.as_dict()
    if PROTOCOLS[protocol].among_queries:
        return
    for row in range(3):
        alone = given | {name: given[name][row : row + 1] for name in ("query_codes", "query_labels")}
        found = evaluate(protocol, **alone)
        expected = found.headline | {name: found.metrics[name] for name in values if "/" in name}
        assert {name: scores[row] for name, scores in report.scores.items()} == pytest.approx(expected)


@pytest.mark.parametrize("protocol", ["hierarchical", "barz", "flat"])
def test_collisions_are_pairs_of_different_classes_with_one_code(protocol: str) -> None:
    data = sample(bits=6)
    if PROTOCOLS[protocol].among_queries:
        data |= {"database_codes": data["query_codes"], "database_labels": data["query_labels"]}
    asked, among, own, other = (
        data[f"{of}_{what}"] for what in ("codes", "labels") for of in ("query", "database")
    )
    strangers = own[:, None] != other
    same = (asked[:, None] == among).all(axis=2) & strangers
    expected = (same.sum(axis=1) / strangers.sum(axis=1)).mean()
    assert expected > 0
    assert evaluate(protocol, **data).metrics["collisions"] == pytest.approx(expected)


def test_a_perfect_hierarchy_scores_one() -> None:
    def codes(labels: npt.NDArray[np.integer]) -> Codes:
        return np.packbits(
            np.hstack([np.repeat(np.eye(20)[labels // 5], 2, 1), np.eye(100)[labels]]) > 0, axis=1
        )

    query, database = np.arange(100), np.repeat(np.arange(100), 500)
    report = evaluate("hpdh-cifar100", codes(query), query, codes(database), database, CIFAR, bits=140)
    for name in (
        "mAP",
        "mAP/superclass",
        "mAHP@2500",
        "nDCG@100",
        "nDCG@100/hpdh",
        "nDCG@all/exp",
        "H-AP",
        "ASI",
    ):
        assert report.metrics[name] == pytest.approx(1, abs=1e-9), name
    assert all(
        precision == pytest.approx(1) for curve in report.curves.values() for precision in curve["precision"]
    )


def test_a_perfect_ranking_scores_0_996_under_barz() -> None:
    paths = [
        tuple(f"{depth}.{leaf >> max(0, 4 - depth)}" for depth in range(1, 3 + leaf % 6))
        for leaf in range(20)
    ]
    tree = Taxonomy("ragged", tuple((*path[:-1], f"leaf{leaf}") for leaf, path in enumerate(paths)))
    values, directions = np.linalg.eigh(height_similarity(tree))
    embedding = directions * np.sqrt(np.maximum(values, 0))  # its inner products are the similarities
    labels = np.repeat(np.arange(20), 20)
    vectors = embedding[labels]
    report = evaluate("barz", vectors, labels, vectors, labels, tree)
    assert report.metrics["mAHP@250"] == pytest.approx(0.996, abs=1e-9)
    assert report.metrics["HP@100"] == pytest.approx(1, abs=1e-9)
    assert report.counts == {"queries": 400, "database": 399, "dimensions": 20}


@pytest.mark.parametrize("items", [20, 31])
def test_held_out_each_half_ranks_the_other(items: int) -> None:
    data = sample(queries=items)
    codes, labels = data["query_codes"], data["query_labels"]
    data |= {"database_codes": codes, "database_labels": labels}
    report = evaluate("hpdh-heldout", **data)
    first, second = halves(labels)
    for name, score in report.headline.items():
        found = np.empty(items)
        for asked, among in ((first, second), (second, first)):
            alone = evaluate(
                "hpdh-cifar100", codes[asked], labels[asked], codes[among], labels[among], SMALL, bits=12
            )
            found[asked] = alone.scores[name]
        np.testing.assert_allclose(report.scores[name], found, atol=1e-6)
        assert score == pytest.approx(found.mean(), abs=1e-6)
    assert report.counts == {"queries": items, "database": items // 2, "bits": 12}


@given(labels=arrays(np.int64, st.integers(2, 60), elements=st.integers(0, 7)))
def test_halves_are_as_large_and_have_as_many_of_each_class(labels: npt.NDArray[np.int64]) -> None:
    first, second = halves(labels)
    assert sorted([*first, *second]) == list(range(len(labels)))
    assert len(first) - len(second) in (0, 1)
    counts = np.bincount(labels[first], minlength=8) - np.bincount(labels[second], minlength=8)
    assert np.abs(counts).max() <= 1
    assert all(map(np.array_equal, halves(labels), (first, second)))


def case(protocol: str, queries: int = 30, items: int = 200) -> dict[str, Any]:
    """A sample that fits a protocol."""
    given = sample(queries, items)
    if PROTOCOLS[protocol].among_queries:
        given |= {"database_codes": given["query_codes"], "database_labels": given["query_labels"]}
    if PROTOCOLS[protocol].label_sets == "demanded":
        given |= {name: np.eye(8, dtype=bool)[given[name]] for name in ("query_labels", "database_labels")}
    return given


def by_weights(given: dict[str, Any], weights: npt.NDArray[np.float32]) -> dict[str, Any]:
    """The same by weights float32[Q, bits] of the queries' bits."""
    signs = np.unpackbits(given["query_codes"], axis=1, count=given["bits"]) * np.float32(2) - 1
    return given | {"query_codes": signs * weights, "ranking": "weighted"}


@pytest.mark.parametrize("ties", ["expected", "stable", "random"])
@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_equal_weights_give_what_codes_give(protocol: str, ties: Any) -> None:
    data = case(protocol)
    weights = np.random.default_rng(1).random((30, 1)).astype(np.float32).repeat(12, 1)
    plain = evaluate(protocol, **data, ties=ties)
    found = evaluate(protocol, **by_weights(data, weights), ties=ties)
    shared = {
        name: value
        for name, value in plain.metrics.items()
        if not name.startswith("P@r2") and name != "collisions"
    }
    assert found.metrics == pytest.approx(shared, abs=1e-12)
    for name, scores in plain.scores.items():
        np.testing.assert_allclose(found.scores[name], scores, atol=1e-6)
    assert (plain.ranking, found.ranking) == ("hamming", "weighted")
    assert found.counts == plain.counts


@pytest.mark.parametrize("kind", ["steps", "uniform", "wide"])
def test_by_weights_is_a_sort_by_the_weights_of_differing_bits(kind: str) -> None:
    data = sample(queries=20, items=60)
    weights = oracle.make_weights(np.random.default_rng(2), 20, 12, kind)
    report = evaluate("hierarchical", **by_weights(data, weights), ties="stable")
    radius = int(next(name for name in report.metrics if name.startswith("mAHP")).split("@")[1])
    similarity, gains = [0, 1 / 3, 2 / 3, 1], range(4)
    found: dict[str, list[float]] = {"mAP": [], "mAHP": [], "nDCG": []}
    for code, label, own in zip(data["query_codes"], data["query_labels"], weights, strict=True):
        near, _ = oracle.weighted_distances(data["database_codes"], code, own)
        ranked = SMALL.agreement[label][data["database_labels"][np.argsort(near, kind="stable")]].tolist()
        found["mAP"].append(naive.average_precision(ranked, 3))
        found["mAHP"].append(naive.average_hierarchical_precision(ranked, similarity, radius, "mean"))
        found["nDCG"].append(naive.ndcg(ranked, gains, min(100, 60), "jk", curve=True))
    for name, values in found.items():
        np.testing.assert_allclose(report.scores[name], values, atol=1e-6)


def test_by_weights_expected_is_the_mean_of_random() -> None:
    data = sample()
    weighted = by_weights(data, oracle.make_weights(np.random.default_rng(3), 30, 12, "steps"))
    expected = evaluate("hierarchical", **weighted).metrics
    draws = [evaluate("hierarchical", **weighted, ties="random", seed=seed).metrics for seed in range(60)]
    for name in ("mAP", "mAP/top", "P@10", "nDCG@100"):
        values = [draw[name] for draw in draws]
        assert expected[name] == pytest.approx(np.mean(values), abs=4.5 * np.std(values) / 60**0.5 + 1e-9)


def test_by_weights_a_query_that_weighs_nothing_is_told() -> None:
    weights = np.ones((30, 12), np.float32)
    weights[4] = 0
    report = evaluate("flat", **by_weights(sample(), weights))
    assert report.notes == ("1 queries whose outputs are all 0 rank nothing: all items tie",)
    assert np.isfinite(report.scores["mAP"]).all()


@pytest.mark.parametrize("protocol", ["hierarchical", "hpdh-nabirds", "flat", "fine-grained"])
def test_the_order_of_the_database_changes_nothing(protocol: str) -> None:
    data = sample()
    order = np.random.default_rng(3).permutation(200)
    shuffled = data | {name: data[name][order] for name in ("database_codes", "database_labels")}
    a, b = evaluate(protocol, **data), evaluate(protocol, **shuffled)
    assert a.metrics == pytest.approx(b.metrics, abs=1e-12)
    assert a.classes == pytest.approx(b.classes, abs=1e-12)
    kept, moved = evaluate(protocol, **data, ties="stable"), evaluate(protocol, **shuffled, ties="stable")
    assert kept.metrics["mAP"] != moved.metrics["mAP"]  # which is what expectations are for


def test_expected_is_the_mean_of_random() -> None:
    data = sample()
    expected = evaluate("hierarchical", **data).metrics
    draws = [evaluate("hierarchical", **data, ties="random", seed=seed).metrics for seed in range(120)]
    for name in draws[0]:
        values = [draw[name] for draw in draws]
        assert expected[name] == pytest.approx(np.mean(values), abs=4.5 * np.std(values) / 120**0.5 + 1e-9), (
            name
        )


def test_random_is_repeated_by_its_seed() -> None:
    data = sample()
    first, again, other = (evaluate("flat", **data, ties="random", seed=seed) for seed in (4, 4, 5))
    assert first == again
    assert first.metrics["mAP"] != other.metrics["mAP"]
    assert first.ties == "random (seed 4)"


def test_the_order_of_the_queries_changes_nothing() -> None:
    data = sample()
    back = data | {name: data[name][::-1] for name in ("query_codes", "query_labels")}
    assert evaluate("hierarchical", **data).metrics == pytest.approx(evaluate("hierarchical", **back).metrics)


def test_class_scores_average_to_map() -> None:
    data = sample()
    report = evaluate("hierarchical", **data)
    counts = {"/".join(SMALL.paths[label]): n for label, n in enumerate(np.bincount(data["query_labels"]))}
    mean = sum(report.classes[name] * n for name, n in counts.items()) / 30
    assert mean == pytest.approx(report.metrics["mAP"])


def test_label_sets() -> None:
    tree = Taxonomy("objects", (("cat",), ("dog",), ("car",)))
    query = np.array([[1, 1, 0]])
    database = np.array([[0, 0, 1], [1, 1, 0], [1, 0, 0]])
    codes = np.array([[0b00000000], [0b10000000], [0b11000000]], np.uint8)  # at distances 0, 1 and 2
    report = evaluate("multilabel", codes[:1], query, codes, database, tree, bits=8)
    dcg, ideal = 3 / np.log2(3) + 1 / 2, 3 + 1 / np.log2(3)
    assert report.metrics["nDCG@100"] == pytest.approx(dcg / ideal)
    assert report.metrics["ACG@100"] == pytest.approx(1)
    assert report.metrics["wmAP@5000"] == pytest.approx((2 / 2 + 3 / 3) / 2)
    assert report.metrics["mAP"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    flat = evaluate("flat", codes[:1], query, codes, database, tree, bits=8)
    assert flat.metrics["mAP"] == report.metrics["mAP"]


def test_reports_are_plain_data() -> None:
    report = evaluate("hierarchical", **sample())
    assert json.loads(json.dumps(report.as_dict()))["protocol"] == "hierarchical"
    assert {"mAP", "mAP/middle", "mAP/top", "P@r2", "P@r2/top", "H-AP", "ASI"} <= set(report.metrics)
    assert set(report.curves) == {"top", "middle", "leaf"}


def test_vectors_have_no_radius() -> None:
    data = sample()
    for name in ("query_codes", "database_codes"):
        data[name] = np.unpackbits(data[name], axis=1, count=12) - 0.5
    vectors = evaluate("hierarchical", **(data | {"bits": None})).metrics
    codes = evaluate("hierarchical", **sample()).metrics
    assert vectors == pytest.approx(
        {k: v for k, v in codes.items() if not k.startswith(("P@r2", "collisions"))}, abs=1e-9
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": "p1"}, "there is no protocol 'p1'"),
        ({"ranking": "cosine"}, "there is no ranking 'cosine': use hamming or weighted"),
        (
            {"ranking": "weighted"},
            r"query codes are uint8\[30, 2\]: .* give the network's outputs, float32\[Q, 12\]",
        ),
        ({"ranking": "weighted", "bits": None}, "real vectors have no bits to weigh"),
        (
            {"ranking": "weighted", "query_codes": np.ones((30, 11), np.float32)},
            r"query codes are float32\[30, 11\]",
        ),
        ({"ranking": "weighted", "query_codes": np.ones((30, 12))}, r"query codes are float64\[30, 12\]"),
        (
            {"ranking": "weighted", "query_codes": np.ones((0, 12), np.float32)},
            r"query codes are float32\[0, 12\]",
        ),
        (
            {"ranking": "weighted", "query_codes": np.full((30, 12), np.inf, np.float32)},
            "query codes contain NaN or infinity",
        ),
        (
            {"ranking": "weighted", "query_codes": np.full((30, 12), np.nan, np.float32)},
            "query codes contain NaN or infinity",
        ),
        (
            {
                "ranking": "weighted",
                "query_codes": np.ones((30, 12), np.float32),
                "database_codes": np.ones((200, 12), np.float32),
            },
            r"database codes are float32\[200, 12\]: 12 bits need uint8",
        ),
        (
            {"ranking": "weighted", "query_codes": np.ones((30, 12), np.float32), "protocol": "barz"},
            "'barz' ranks the queries among themselves",
        ),
        (
            {
                "ranking": "weighted",
                "query_codes": np.ones((30, 12), np.float32),  # of other signs than the codes of the database
                "database_codes": np.zeros((30, 2), np.uint8),
                "query_labels": np.zeros(30, np.int64),
                "database_labels": np.zeros(30, np.int64),
                "protocol": "hpdh-heldout",
            },
            "pass the same two or more items as queries and database",
        ),
        ({"ties": "none"}, "there is no tie policy 'none'"),
        ({"bits": 20}, r"query codes are uint8\[\d+, 2\]: 20 bits need uint8\[N, 3\]"),
        ({"bits": 9}, "query codes have bits set beyond the first 9"),
        ({"bits": None}, "query codes are uint8: give real vectors"),
        ({"query_codes": np.zeros((0, 2), np.uint8)}, r"query codes have shape \(0, 2\)"),
        ({"database_codes": np.zeros((200, 2))}, "database codes are float64"),
        ({"database_codes": np.zeros(200, np.uint8)}, r"database codes have shape \(200,\)"),
        ({"query_labels": np.zeros(3, int)}, "query labels are 3 for 30 items"),
        ({"query_labels": np.zeros(30)}, "query labels have shape .* float64"),
        ({"database_labels": np.full(200, 8)}, "database labels contain 8: .* labels 0 to 7"),
        ({"database_labels": np.full(200, -1)}, "database labels contain -1"),
        ({"protocol": "barz"}, "'barz' ranks the queries among themselves"),
        ({"protocol": "hpdh-heldout"}, "'hpdh-heldout' ranks the queries among themselves"),
        ({"protocol": "multilabel"}, "give multi-hot labels"),
        (
            {"query_labels": np.zeros((30, 8))},
            "'hierarchical' grades one label an item.*: use flat or multilabel",
        ),
        ({"protocol": "flat", "query_labels": np.zeros((30, 8))}, "database labels have shape"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TaxohashError, match=message) as error:
        evaluate(**({"protocol": "hierarchical", **sample()} | change))
    assert "\n" not in str(error.value)


def test_bad_vectors_are_refused() -> None:
    labels = np.zeros(3, int)
    good, bad = np.ones((3, 4)), np.full((3, 4), np.nan)
    with pytest.raises(TaxohashError, match="query codes contain NaN"):
        evaluate("flat", bad, labels, good, labels, SMALL)
    with pytest.raises(TaxohashError, match="3 dimensions, the database 4"):
        evaluate("flat", good[:, :3], labels, good, labels, SMALL)


def test_every_protocol_names_itself() -> None:
    assert all(name == protocol.name and protocol.summary for name, protocol in PROTOCOLS.items())
