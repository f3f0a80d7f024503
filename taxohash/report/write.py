"""report.json."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taxohash.protocols import Report


def write_json(out_dir: str | Path, report: Report, provenance: Mapping[str, Any] | None = None) -> Path:
    """Write report.json: the report and, under `provenance`, where it comes from. Replaces the file in one step."""
    path = Path(out_dir) / "report.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**report.as_dict(), "provenance": dict(provenance or {})}, indent=2) + "\n"
    _replace(path, text.encode())
    return path


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
