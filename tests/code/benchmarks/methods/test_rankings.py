"""Rows have both rankings of a binary method, of the codes as an index stores them, and tables show them."""

from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.methods import rankings, report
from benchmarks.methods.head import Problem
from benchmarks.methods.rankings import by_distance_and_weights, headlines
from benchmarks.methods.unseen_classes import as_markdown, measure
from taxohash.codes import pack
from taxohash.objectives import build
from taxohash.protocols import evaluate
from tests.support.toy import TREE, setting, toy

LABELS = np.arange(9).repeat(10).astype(np.int32)


@pytest.mark.parametrize("protocol", ["hierarchical", "hpdh-heldout", "barz"])
def test_both_rankings_are_of_the_codes_that_an_index_stores(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = build("treecode", setting(TREE, torch.arange(9)), {"sharpness": 3.0, "branches": 1})
    outputs = 2 * torch.randn(90, learned.width, generator=torch.Generator().manual_seed(0))
    form = learned.search_form(outputs).numpy()
    codes = pack(form)
    monkeypatch.setattr(rankings, "WEIGHTED_QUERIES", 45)
    plain, weighted = by_distance_and_weights(protocol, learned, outputs, LABELS, outputs, LABELS, TREE)
    assert plain == evaluate(protocol, codes, LABELS, codes, LABELS, TREE, bits=16)
    some = np.linspace(0, 89, 45 if protocol == "hierarchical" else 90).astype(int)
    assert weighted == evaluate(
        protocol, form[some], LABELS[some], codes, LABELS, TREE, bits=16, ranking="weighted"
    )
    assert headlines(plain, weighted) == {"metrics": plain.headline, "weighted": weighted.headline}


def test_a_row_of_classes_that_training_never_showed_has_both() -> None:
    data = toy()
    known = Problem(
        TREE, data.features, data.labels, data.queries, data.query_labels.numpy().astype(np.int32), "md5"
    )
    task = {"data": "cifar100", "method": "treecode", "bits": 16, "seed": 0, "options": {}}
    row: dict[str, Any] = measure(known, task)
    assert row["metrics"].keys() == row["weighted"].keys() == {"mAP", "mAHP", "nDCG"}
    assert row["metrics"] != row["weighted"]
    lines = as_markdown([row | task | {"commit": "abc"}])
    (number, *_) = (number for number, line in enumerate(lines) if line.startswith("| treecode "))
    assert lines[number + 1].startswith(f"| *by weights* | {100 * row['weighted']['mAP']:.1f} | ")


def test_the_table_of_methods_has_a_part_by_weights() -> None:
    scores = {"mAP": 0.5, "mAHP": 0.6, "nDCG": 0.7}
    own = {"stage": "table", "data": "set", "data_md5": "md5", "bits": 16, "seed": 0, "shuffled": False}
    more = {"options": {}, "commit": "abc", "cpu_seconds": 1.0}
    rows = [own | more | {"method": method, "metrics": scores} for method in ("csq", "hierarchy_embedding")]
    assert "by weights" not in "".join(report.as_markdown(rows)).lower()
    rows[0]["weighted"] = {"mAP": 0.55, "mAHP": 0.65, "nDCG": 0.75}
    lines = report.as_markdown(rows)
    at = lines.index("#### mAHP, by weights")
    assert "| csq | **65.0** |" in lines[at : at + 6]
    assert "| csq | **60.0** |" in lines
    assert "on 2,000 queries" in "".join(lines)
