"""The report of an evaluated run, for those who compare and those who export: nothing is drawn here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import read_json

REPORT, PAGE = "report.json", "report.html"


def read_report(folder: str | Path) -> dict[str, Any]:
    """The report.json of an evaluated run.

    Raises:
        TaxohashError: not evaluated yet.
    """
    report: dict[str, Any] = read_json(Path(folder) / REPORT, "run `taxohash evaluate` first")
    return report


def queries_of(report: Mapping[str, Any]) -> str:
    """The split whose images were the queries.

    Raises:
        TaxohashError: the report does not say.
    """
    split = report.get("provenance", {}).get("queries")
    if not isinstance(split, str):
        raise TaxohashError(f"{REPORT} does not say which split asked: run `taxohash evaluate` again")
    return split
