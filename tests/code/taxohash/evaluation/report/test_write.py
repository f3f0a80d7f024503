"""The written report: what it holds, and that it stands alone."""

import io
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from taxohash.errors import TaxohashError
from taxohash.evaluation.report.evidence import Evidence, first_answers
from taxohash.evaluation.report.figures import left_out
from taxohash.evaluation.report.write import write_report
from taxohash.protocols import Report, evaluate
from taxohash.taxonomy import Taxonomy

TREE = Taxonomy("t", tuple((f"top{c // 3}", f"<leaf {c}>") for c in range(6)), ("top", "leaf"))
RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 6
CODES = np.packbits(RNG.random((60, 16)) < 0.5, axis=1)


def pictures(rows: npt.NDArray[np.int64]) -> Iterable[bytes]:
    for row in rows:
        data = io.BytesIO()
        Image.new("RGB", (200, 100), (int(row), 0, 0)).save(data, "PNG")
        yield data.getvalue()


def evidence(damaged: bool = False) -> Evidence:
    answers = (lambda rows: [b"none"] * len(rows)) if damaged else pictures
    return Evidence(TREE, 16, CODES[:20], LABELS[:20], CODES, LABELS, pictures, answers)


def report() -> Report:
    return evaluate("hierarchical", CODES[:20], LABELS[:20], CODES, LABELS, TREE, bits=16)


def test_report_stands_alone(tmp_path: Path) -> None:
    found = report()
    where = {"dataset md5": "0123.dir", "seed": 3, "commit": "abc", "command": "taxohash evaluate <run>"}
    page = write_report(
        tmp_path / "out", found, taxonomy=TREE, evidence=evidence(), provenance=where
    ).read_text()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.html", "report.json"}
    assert json.loads((tmp_path / "out/report.json").read_text()) == {**found.as_dict(), "provenance": where}
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert page.count("data:image/png;base64,") == 4 + 12 * 11
    for text in (
        "hierarchical",
        "0123.dir",
        "abc",
        "taxohash evaluate &lt;run&gt;",
        f"{found.metrics['H-AP']:.4f}",
    ):
        assert text in page
    assert "<leaf" not in page  # names are text, never markup


def test_what_was_measured_by_weights_stands_beside(tmp_path: Path) -> None:
    plain = report()
    assert "by weights, where" not in write_report(tmp_path, plain, taxonomy=TREE).read_text()
    weighted = {"mAP": 0.98765, "mAP/top": 0.87654, "H-AP": 0.76543}
    page = write_report(tmp_path, replace(plain, weighted=weighted), taxonomy=TREE).read_text()
    assert page.count("<small>0.98") == 2  # among the first numbers, and in the table of levels
    assert page.count("<small>0.87") == page.count("<small>0.76") == 1
    assert len(re.findall(r"<td>0\.\d{4}</td>", page)) > 10  # what was not measured so has one number
    assert "Ranked by Hamming distance" in page
    assert json.loads((tmp_path / "report.json").read_text())["weighted"] == weighted


def test_report_without_codes(tmp_path: Path) -> None:
    vectors = RNG.standard_normal((60, 4))
    found = evaluate("fine-grained", vectors[:20], LABELS[:20], vectors, LABELS, TREE)
    page = write_report(tmp_path, found, taxonomy=TREE).read_text()
    assert page.count("data:image/png;base64,") == 2  # precision-recall and classes
    assert "Ranked by cosine distance" in page


def test_a_damaged_image_leaves_no_report(tmp_path: Path) -> None:
    with pytest.raises(TaxohashError):
        write_report(tmp_path, report(), taxonomy=TREE, evidence=evidence(damaged=True))
    assert not list(tmp_path.iterdir())


def test_first_answers_are_the_nearest() -> None:
    found = first_answers(evidence(), 5, 10)
    bits = np.unpackbits(CODES, axis=1)
    for query, rows, distances, agreement in zip(
        found.queries, found.rows, found.distances, found.agreement, strict=True
    ):
        far = (bits[query] != bits).sum(axis=1)
        assert len({*rows.tolist()}) == 10
        assert far[rows].tolist() == sorted(far)[:10]
        assert distances.tolist() == far[rows].tolist()
        assert agreement.tolist() == TREE.agreement[LABELS[query], LABELS[rows]].tolist()


def test_answers_of_one_distance_are_not_those_of_the_first_class() -> None:
    same, labels = np.zeros((600, 2), np.uint8), np.arange(600) // 100  # ordered by class, as many sets are
    found = first_answers(Evidence(TREE, 16, same[:20], labels[:20], same, labels), 5, 60)
    assert {*labels[found.rows[0]]} == {*range(6)}


def test_classes_that_are_not_shown_are_counted() -> None:
    many = Report("hierarchical", {}, {}, "hamming", "expected", classes={f"c{i}": i / 50 for i in range(50)})
    assert left_out(many) == "; 40 of 50 shown, the strongest and the weakest"
    assert left_out(report()) == ""


def test_a_query_is_not_among_its_own_answers() -> None:
    whole = Evidence(TREE, 16, CODES, LABELS, CODES, LABELS, leave_one_out=True)
    found = first_answers(whole, 5, 60)
    bits = np.unpackbits(CODES, axis=1)
    for query, rows in zip(found.queries, found.rows, strict=True):
        far = (bits[query] != bits).sum(axis=1)
        assert sorted(rows) == [row for row in range(60) if row != query]
        assert far[rows].tolist() == sorted(far)[1:]


def test_sets_agree_by_the_labels_that_agree_best() -> None:
    sets = RNG.random((60, 6)) < 0.3
    found = first_answers(Evidence(TREE, 16, CODES[:20], sets[:20], CODES, sets), 5, 10)
    for query, rows, agreement in zip(found.queries, found.rows, found.agreement, strict=True):
        own = np.flatnonzero(sets[query])
        assert agreement.tolist() == [
            max((TREE.agreement[a, b] for a in own for b in np.flatnonzero(sets[row])), default=0)
            for row in rows
        ]
