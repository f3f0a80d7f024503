"""The report of an evaluated run, for those who compare and those who export: nothing is drawn here."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import read_json

REPORT, PAGE = "report.json", "report.html"
JUDGEMENT = "<!-- judgement -->"  # where the page has room for what the gate says of it


def read_report(folder: str | Path) -> dict[str, Any]:
    """The report.json of an evaluated run.

    Raises:
        TaxohashError: not evaluated yet, or the file is no report.
    """
    from taxohash.protocols import PROTOCOLS  # slow to import: only where a report is read

    file, remedy = Path(folder) / REPORT, "run `taxohash evaluate` first"
    report: dict[str, Any] = read_json(file, remedy)
    if not (
        isinstance(report, dict)
        and all(_numbers(report.get(part)) for part in ("headline", "metrics", "counts"))
        and isinstance(report.get("protocol"), str)
        and report["protocol"] in PROTOCOLS
        and isinstance(report.get("ties"), str)
    ):
        raise TaxohashError(f"{file} is no report of an evaluation: {remedy}")
    return report


def queries_of(report: Mapping[str, Any]) -> str:
    """The split whose images were the queries.

    Raises:
        TaxohashError: the report does not say.
    """
    provenance = report.get("provenance")
    split = provenance.get("queries") if isinstance(provenance, dict) else None
    if not isinstance(split, str):
        raise TaxohashError(f"{REPORT} does not say which split asked: run `taxohash evaluate` again")
    return split


def _numbers(values: Any) -> bool:
    """Whether these are finite numbers by name."""
    return isinstance(values, dict) and all(
        isinstance(value, int | float) and math.isfinite(value) for value in values.values()
    )
