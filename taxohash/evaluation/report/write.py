"""report.json and report.html."""

import base64
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from taxohash.evaluation.report import figures
from taxohash.evaluation.report.evidence import Evidence, first_answers, labels_of
from taxohash.evaluation.report.explain import meaning
from taxohash.evaluation.report.read import JUDGEMENT, PAGE, REPORT
from taxohash.evaluation.report.verdict import verdict
from taxohash.images import decode
from taxohash.protocols import PROTOCOLS, Report
from taxohash.runtime.atomic import write_json, write_text
from taxohash.runtime.pages import rendered
from taxohash.taxonomy import Taxonomy

QUERIES, ANSWERS, THUMBNAIL = 12, 10, 96
RANKINGS = {
    "hamming": "Hamming distance",
    "weighted": "weights",
    "cosine": "cosine distance",
    "l2": "Euclidean distance",
}
BY_LEVEL = ("mAP", "P")  # metrics that each level has


def write_report(
    out_dir: str | Path,
    report: Report,
    *,
    taxonomy: Taxonomy,
    evidence: Evidence | None = None,
    provenance: Mapping[str, Any] | None = None,
    title: str = "Retrieval report",
) -> Path:
    """Write report.json and a self-contained report.html, and return the path of the latter.

    Args:
        evidence: codes and images for the map of codes, the bit balance and the grid of answers;
            without it (real vectors) the page has tables and curves only; of label sets there is no map.
        provenance: shown as it is: dataset md5, seed, commit, command.

    Raises:
        TaxohashError: an image of the grid cannot be decoded.
    """
    folder = Path(out_dir)
    plots = {}
    if report.curves:
        plots["Precision and recall"] = (
            "Mean over queries, one curve a level.",
            figures.precision_recall(report),
        )
    if evidence is not None:
        caption = "Share of ones of each bit in the database, vermilion below 10 % and above 90 %."
        plots["Bit balance"] = (caption, figures.bit_balance(evidence))
    if report.reliability:
        caption = "Each of the 15 points of a curve stands for as many answers; where it lies on the line, the probability was right."
        plots["Reliability of the probabilities"] = (caption, figures.reliability(report))
    if report.classes:
        caption = f"Mean fine average precision of each class's queries, coloured by coarsest class{figures.left_out(report)}."
        plots["Classes"] = (caption, figures.class_scores(report, taxonomy))
    by_level, others = _tables(report, taxonomy)
    page = rendered(
        "taxohash.evaluation.report",
        "report.html.j2",
        title=title,
        judgement=JUDGEMENT,
        report=report,
        summary=PROTOCOLS[report.protocol].summary,
        ranking=RANKINGS[report.ranking],
        verdict=verdict(report, taxonomy, evidence, provenance or {}),
        headline=[(name, _meaning(name, report)) for name in _headline(report)],
        by_level=[(name, names, _meaning(name, report)) for name, names in by_level],
        others=[(name, _meaning(name, report)) for name in others],
        levels=list(reversed(taxonomy.levels)),
        trust=_trust(report),
        flagged=report.calibration.get("measured", {}).get("unlike"),
        plots=[(name, caption, _data_uri(png)) for name, (caption, png) in plots.items()],
        code_map=_data_uri(figures.code_map(evidence))
        if evidence is not None and not _sets(evidence)
        else None,
        grid=_grid(evidence) if evidence is not None else [],
        key=list(zip(figures.level_colours(taxonomy.depth), ["nothing", *taxonomy.levels], strict=True)),
        provenance=dict(provenance or {}),
    )
    write_text(folder / PAGE, page)
    write_json(folder / REPORT, {**report.as_dict(), "provenance": dict(provenance or {})})
    return folder / PAGE


def _headline(report: Report) -> list[str]:
    """The full names of fine mAP, mAHP and nDCG."""
    names = [name for name in report.metrics if "/" not in name and name.split("@")[0] in report.headline]
    return [name for name in dict.fromkeys(names) if name == "mAP" or "mAP@" not in name]


def _meaning(name: str, report: Report) -> str:
    """What a metric measures under the report's protocol: DSRH takes nDCG at the cut-off, with gain 2^r - 1."""
    of_sets = PROTOCOLS[report.protocol].label_sets == "demanded"
    return meaning(f"{name}/exp" if of_sets and name.startswith("nDCG") else name)


def _tables(report: Report, taxonomy: Taxonomy) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """Metrics that exist for every level, each with its names there, finest first; and all others."""
    suffixes = ["", *(f"/{level}" for level in reversed(taxonomy.levels[:-1]))]
    values = report.metrics
    names = [
        name
        for name in values
        if name.split("@")[0] in BY_LEVEL
        and len(suffixes) > 1
        and all(name + suffix in values for suffix in suffixes)
    ]
    by_level = [(name, [name + suffix for suffix in suffixes]) for name in names]
    shown = {name for _, names in by_level for name in names}
    return by_level, [name for name in values if name not in shown]


def _trust(
    report: Report,
) -> list[tuple[str, str, list[tuple[str, dict[str, Any] | None, dict[str, Any] | None]]]]:
    """By database and order of the answers the levels, each with what was measured of the probabilities of answers and of the
    query's own path."""
    measured = report.calibration.get("measured", {})
    return [
        (
            figures.DATABASES[database],
            words,
            [(level, told, found["predicted"][level]) for level, told in found["shared"].items()],
        )
        for database in figures.DATABASES
        if database in measured
        for order, words in figures.ORDERS.items()
        for found in [measured[database][order]]
    ]


def _grid(evidence: Evidence) -> list[dict[str, Any]]:
    """Queries and their first answers as thumbnails, each with its colour, name and distance."""
    if evidence.query_images is None or evidence.database_images is None:
        return []
    found = first_answers(evidence, QUERIES, ANSWERS)
    colours = figures.level_colours(evidence.taxonomy.depth)

    def named(labels: Any) -> dict[str, str]:
        paths = [evidence.taxonomy.paths[label] for label in labels_of(labels)]
        return {
            "title": ", ".join(" / ".join(path) for path in paths) or "no label",
            "name": ", ".join(path[-1] for path in paths),
            "top": ", ".join(dict.fromkeys(path[0] for path in paths)),
        }

    queries = _thumbnails(evidence.query_images(found.queries), evidence.reader)
    answers = iter(_thumbnails(evidence.database_images(found.rows.reshape(-1)), evidence.reader))
    return [
        {
            "image": image,
            **named(evidence.query_labels[query]),
            "answers": [
                {
                    "image": next(answers),
                    **named(evidence.database_labels[row]),
                    "distance": int(distance),
                    "colour": colours[agreement],
                }
                for row, distance, agreement in zip(*columns, strict=True)
            ],
        }
        for image, query, *columns in zip(
            queries, found.queries, found.rows, found.distances, found.agreement, strict=True
        )
    ]


def _sets(evidence: Evidence) -> bool:
    return evidence.database_labels.ndim == 2


def _thumbnails(images: Iterable[bytes], reader: int) -> list[str]:
    thumbnails = []
    for data in images:
        image = decode(data, version=reader)
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        encoded = io.BytesIO()
        image.save(encoded, "PNG")
        thumbnails.append(_data_uri(encoded.getvalue()))
    return thumbnails


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
