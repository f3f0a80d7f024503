"""report.json and report.html of a check."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from taxohash.drift.judge import Judgement, Seen, common, means
from taxohash.drift.policy import Policy
from taxohash.drift.report import figures
from taxohash.drift.sample import Sample
from taxohash.generation.reference import Reference
from taxohash.runtime.atomic import write_json, write_text
from taxohash.runtime.configuration import plain
from taxohash.runtime.pages import rendered

REPORT, PAGE = "report.json", "report.html"
MEANINGS = {
    "bits": "Mean over the bits of the population stability index of being set: 0 where each bit is set as often as it was.",
    "worst_bit": "The greatest index of a single bit, such as one that is stuck.",
    "entropy": "By how much the mean entropy of a bit differs from what it was.",
    "nearest": "How many more pictures than before are farther than some distance from every item, at the distance where it is most.",
    "classes": "Population stability index of the shares of the taxonomy's top nodes.",
    "unlike": "How many more pictures than before are like nothing known.",
    "recall": "How much more seldom canaries find their class among the ten nearest of the items that are there now.",
}


def write_report(
    out: str | Path,
    judgement: Judgement,
    reference: Reference,
    seen: Seen,
    policy: Policy,
    *,
    counts: Mapping[str, Mapping[str, int]],
    provenance: Mapping[str, str],
) -> Path:
    """Write both into the folder `out`, and return the path of report.html, which needs nothing beside it.

    Args:
        counts: of what was asked and stored, what was looked at and what was not, in words.
        provenance: shown as it is.
    """
    folder = Path(out)
    page = rendered(
        "taxohash.drift.report",
        "report.html.j2",
        judgement=judgement,
        meanings=MEANINGS,
        plots=[(name, caption, _data_uri(png)) for name, caption, png in _plots(judgement, reference, seen)],
        counts=counts,
        policy=policy,
        provenance=provenance,
        references=len(reference),
    )
    write_text(folder / PAGE, page)
    write_json(
        folder / REPORT,
        {
            **plain(judgement),
            "counts": {name: dict(held) for name, held in counts.items()},
            "policy": plain(policy),
            "reference_queries": len(reference),
            "provenance": dict(provenance),
        },
    )
    return folder / PAGE


def _plots(judgement: Judgement, reference: Reference, seen: Seen) -> Iterator[tuple[str, str, bytes]]:
    if judgement.findings:
        caption = "Right of the line a statistic raises an alarm. Chance alone takes any of them there in no more checks than is said above."
        yield "All statistics", caption, figures.overview(judgement.findings)
    for sample in (seen.queries, seen.items):
        if any(one.of == sample.source for one in judgement.findings):
            yield from _of_sample(sample, reference, seen)


def _of_sample(sample: Sample, reference: Reference, seen: Seen) -> Iterator[tuple[str, str, bytes]]:
    before, now = common(reference, sample, len(seen.tops))
    was, held = means(before, np.ones(len(reference))), means(now, sample.weights)
    what = "asked" if sample.source == "queries" else "stored"
    if "bits" in held:
        yield (
            f"Bits of what was {what}",
            "Share of ones of each bit.",
            figures.bits(was["bits"], held["bits"]),
        )
    if "nearest" in held:
        caption = "Of what was asked, how much is farther from every item than a distance."
        yield "Nearest items", caption, figures.nearest(was["nearest"], held["nearest"])
    if "classes" in held:
        names = [*(["none was sure"] if sample.source == "queries" else []), *seen.tops]
        told = (
            "as answers tell them" if sample.source == "queries" else "of items with a label, by their first"
        )
        caption = f"Shares of the taxonomy's top nodes, {told}.{figures.left_out(names)}"
        yield f"Classes of what was {what}", caption, figures.classes(names, was["classes"], held["classes"])


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
