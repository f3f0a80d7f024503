"""Reports of an evaluation: JSON for programs, HTML for people."""

from taxohash.report.evidence import Evidence
from taxohash.report.write import write_report

__all__ = ["Evidence", "write_report"]
