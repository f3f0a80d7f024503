"""The judgement at the top of the report of what was judged."""

from taxohash.evaluation.report.read import JUDGEMENT
from taxohash.release.judging import Finding, Judgement
from taxohash.runtime.pages import rendered

WORDS = {
    "passes": "may be published",
    "awaits": "may be published when somebody approves",
    "refused": "is refused",
}
MARKS = {"passes": "✓", "awaits": "…", "refused": "✗"}


def judged(report: str, judgement: Judgement) -> str:
    """The HTML of a report, with the judgement where it has room for it."""
    section = rendered(
        "taxohash.release.gate",
        "judgement.html.j2",
        judgement=judgement,
        words=WORDS[judgement.verdict],
        marks=MARKS,
        findings=_ordered(judgement),
    )
    return report.replace(JUDGEMENT, section, 1)


def _ordered(judgement: Judgement) -> list[Finding]:
    """What refuses first."""
    return sorted(judgement.findings, key=lambda one: one.verdict != "refused")
