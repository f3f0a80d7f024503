"""The report of an evaluated run, for those who compare and those who export: nothing is drawn here."""

from pathlib import Path
from typing import Any

from taxohash.runtime.atomic import read_json

REPORT = "report.json"


def read_report(folder: str | Path) -> dict[str, Any]:
    """The report.json of an evaluated run.

    Raises:
        TaxohashError: not evaluated yet.
    """
    report: dict[str, Any] = read_json(Path(folder) / REPORT, "run `taxohash evaluate` first")
    return report
