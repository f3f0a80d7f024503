"""The three sentences above a report: their numbers, by naive loops; and that every metric is explained."""

import re
from typing import Any

import numpy as np
import pytest

from taxohash.codes import pack
from taxohash.evaluation.report.evidence import Evidence
from taxohash.evaluation.report.explain import meaning
from taxohash.evaluation.report.verdict import verdict
from taxohash.evaluation.report.write import _meaning
from taxohash.protocols import PROTOCOLS, evaluate
from taxohash.taxonomy import Taxonomy

TREE = Taxonomy("t", tuple((f"top{c // 3}", f"leaf{c}") for c in range(6)), ("top", "leaf"))
FLAT = Taxonomy("f", tuple((f"leaf{c}",) for c in range(6)), ("leaf",))
RNG = np.random.default_rng(0)
ASKED, RANKED = np.arange(12) % 6, RNG.integers(0, 6, 80)
SETS = RNG.random((80, 6)) < 0.3
CODES = RNG.random((6, 16)) < 0.5
FIRST = {"queries": "test", "learned_from": "train"}


def codes(labels: Any, wrong: float = 0.2) -> Any:
    """The code of each item's class, some bits turned."""
    return pack((CODES[labels] ^ (RNG.random((len(labels), 16)) < wrong)) * 2.0 - 1)


def told(protocol: str, tree: Taxonomy = TREE, where: dict[str, Any] = FIRST) -> tuple[list[str], Any]:
    alone, sets = PROTOCOLS[protocol].among_queries, PROTOCOLS[protocol].label_sets == "demanded"
    ranked, found = (SETS, codes(SETS.argmax(axis=1))) if sets else (RANKED, codes(RANKED))
    asked, query = (ranked, found) if alone or sets else (ASKED, codes(ASKED))
    report = evaluate(protocol, query, asked, found, ranked, tree, bits=16)
    evidence = Evidence(tree, 16, query, asked, found, ranked, leave_one_out=alone)
    return verdict(report, tree, evidence, where), report


def chance(level: int) -> float:
    classes = TREE.ancestors[:, level]
    return float(np.mean([[classes[a] == classes[b] for b in RANKED] for a in ASKED]))


def test_the_first_answers_are_told_beside_chance() -> None:
    (first, *_), report = told("hierarchical")
    fine, top = (10 * report.metrics[name] for name in ("P@10", "P@10/top"))
    assert first == (
        f"Of the first 10 answers to a picture it was not trained on, {fine:.1f} are of its own leaf "
        f"(by chance {10 * chance(1):.1f}) and {top:.1f} are of its top (by chance {10 * chance(0):.1f})."
    )


def test_of_pictures_it_learned_from_it_does_not_say_otherwise() -> None:
    (first, *_), _ = told("fine-grained", where={"queries": "train", "learned_from": "train"})
    assert first.startswith("Of the first 10 answers to a picture, ")
    assert told("fine-grained", where={})[0][0].startswith("Of the first 10 answers to a picture, ")


def test_one_level_is_one_number() -> None:
    (first, *_), report = told("hierarchical", FLAT)
    assert first.count("by chance") == 1
    assert f", {10 * report.metrics['P@10']:.1f} are of its own class" in first


def test_queries_that_are_the_database_do_not_count_themselves() -> None:
    (first, *_), report = told("barz")
    pairs = [(a, b) for a in range(80) for b in range(80) if a != b]
    fine = np.mean([RANKED[a] == RANKED[b] for a, b in pairs])
    assert f"{100 * report.metrics['mAP']:.0f} % are of its own leaf (by chance {100 * fine:.0f} %)" in first


def test_sets_of_labels_share_some() -> None:
    lines, report = told("multilabel")
    shared = np.mean([[(a & b).any() for b in SETS] for a in SETS])
    places = min(100, len(SETS))
    assert f"{places * report.metrics['P@100']:.1f} share a label with it" in lines[0]
    assert f"(by chance {places * shared:.1f})" in lines[0]
    assert f"{100 * report.metrics['nDCG@100']:.0f} % of the best one" in lines[1]


def test_the_weakest_classes_are_named() -> None:
    (_, second, _), report = told("hierarchical")
    ranked = sorted(report.classes, key=lambda path: report.classes[path])
    assert re.findall(r"leaf\d", second) == [path.split("/")[1] for path in ranked[:3]]


def test_levels_without_names_are_classes() -> None:
    (first, *_), _ = told("hierarchical", Taxonomy("t", TREE.paths))
    assert re.search(r"are of its own class \(by chance .* are of its class at level1 \(by chance", first)


def test_codes_that_are_all_the_same_are_told_as_that() -> None:
    same = np.zeros((80, 2), np.uint8)
    report = evaluate("hierarchical", same[:12], ASKED, same, RANKED, FLAT, bits=16)
    found = Evidence(FLAT, 16, same[:12], ASKED, same, RANKED)
    assert (
        verdict(report, FLAT, found, {})[2] == "All 80 pictures have the same code: it tells nothing apart."
    )


@pytest.mark.parametrize(("classes", "told"), [(1, "The one class"), (3, "Each of the 3 classes")])
def test_of_classes_that_are_alike_none_is_the_weakest(classes: int, told: str) -> None:
    labels = np.arange(classes).repeat(2)
    same = np.zeros((len(labels), 2), np.uint8)
    same[:, 0] = labels
    report = evaluate("hierarchical", same, labels, same, labels, FLAT, bits=16)
    assert verdict(report, FLAT, None, {})[1] == f"{told} reaches 100 % by mean precision (mAP)."


def test_bits_that_carry_little_are_counted() -> None:
    ranked = (np.tile(CODES[0], (50, 1)) ^ (np.arange(50)[:, None] % 2 == 1)) * 2.0 - 1
    ranked[:, 3], ranked[:46, 5] = 1.0, -1.0
    ranked[46:, 5] = 1.0
    packed, labels = pack(ranked), np.zeros(50, np.int64)
    report = evaluate("flat", packed[:5], labels[:5], packed, labels, TREE, bits=16)
    evidence = Evidence(TREE, 16, packed[:5], labels[:5], packed, labels)
    (*_, third) = verdict(report, TREE, evidence, {})
    different = len({tuple(row) for row in ranked.tolist()})
    assert third.startswith("2 of 16 bits carry little: they have one value in over 90 % of the pictures; ")
    assert third.endswith(f"50 pictures have {different} different codes.")


def test_real_vectors_have_no_bits() -> None:
    vectors = RNG.standard_normal((80, 4))
    report = evaluate("fine-grained", vectors[:12], ASKED, vectors, RANKED, TREE)
    first, _, third = verdict(report, TREE, None, {})
    assert "by chance" not in first
    assert "4 real numbers" in third


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_metric_of_every_protocol_is_explained(protocol: str) -> None:
    _, report = told(protocol)
    explained = {name: _meaning(name, report) for name in report.metrics}
    assert all(explained.values())
    assert "gain 2^r - 1" in meaning("nDCG@100/exp")
    assert ("gain 2^r - 1" in explained.get("nDCG@100", "")) == (protocol == "multilabel")
