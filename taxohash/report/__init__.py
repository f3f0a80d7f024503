"""Reports of an evaluation: JSON for programs, HTML for people."""

from taxohash.report.write import write_json

__all__ = ["write_json"]
