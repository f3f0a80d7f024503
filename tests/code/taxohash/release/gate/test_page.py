"""The judgement in a report."""

from taxohash.evaluation.report.read import JUDGEMENT
from taxohash.release.gate import judge
from taxohash.release.gate.page import judged
from tests.support.gate import evidence, measured, scores

REPORT = f"<h1>report</h1>{JUDGEMENT}<p>rest</p>"


def test_every_rule_and_its_reason_are_told_what_refuses_first() -> None:
    found = judge(evidence(measured(scores(0.6), classes=frozenset([("<b>odd", "one")]))))
    page = judged(REPORT, found)
    assert page.startswith("<h1>report</h1><section")
    assert page.endswith("<p>rest</p>")
    assert JUDGEMENT not in page
    assert "It is refused" in page
    rules = [page.index(f"<td>{one.rule}</td>") for one in found.findings]
    assert min(rules) == rules[2], "the taxonomy's"
    assert "&lt;b&gt;odd" in page
    assert "<b>odd" not in page


def test_a_page_without_room_stays_as_it_is() -> None:
    assert judged("<h1>old</h1>", judge(evidence(measured(scores(0.6))))) == "<h1>old</h1>"
