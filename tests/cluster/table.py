"""The table of docs/operations.md, made of what the scenes found."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.common.rows import commits
from tests.cluster.load import RATE, WRITE_RATE
from tests.cluster.programs import ROOT

PAGE, RECORD = ROOT / "docs" / "operations.md", ROOT / "docs" / "cluster.json"
_BEGIN, _END = "<!-- cluster:begin -->", "<!-- cluster:end -->"


def markdown(record: Mapping[str, Any]) -> str:
    """Of a record."""
    lines = [
        f"Commit {commits([record['revision']])}, {record['date']}, Kubernetes {record['kubernetes']}, {record['cores']} cores for all of it, those who ask among it: "
        f"{RATE:g} searches a second, half of them by picture over new connections, half by code over kept ones, and where items are counted "
        f"{WRITE_RATE:g} writes a second. `refused` and `closed` are connections, numbers are statuses. Data lost are writes that were acknowledged. "
        "The whole record is [cluster.json](cluster.json).",
        "",
        "| what happens | searches | failed | wrong or mixed | stale for | data lost | |",
        "|---|---|---|---|---|---|---|",
    ]
    for told in record["scenes"].values():
        searches = told["searches"] or {}
        failed = ", ".join(f"{count} × {outcome}" for outcome, count in searches.get("failed", {}).items())
        if searches.get("again"):
            failed += f" ({searches['again']} with `Retry-After`)"
        taken = [f"{what}: {seconds:.0f} s" for what, seconds in told["seconds"].items()]
        cells = [
            told["what"],
            f"{searches['sent']:,}" if searches else "",
            (failed or "none") if searches else "",
            (str(searches["wrong"]) if searches["wrong"] else "none") if searches else "",
            "" if told["stale"] is None else f"{told['stale']:.1f} s",
            "" if told["written"] is None else f"{told['lost'] or 'none'} of {told['written']:,} items",
            "; ".join([*taken, *told["notes"]]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def put(text: str, page: Path = PAGE) -> bool:
    """Put it between its marks; whether the page has them."""
    whole = page.read_text() if page.exists() else ""
    before, begin, rest = whole.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        return False
    page.write_text(f"{before}{begin}\n{text}{end}{after}")
    return True
